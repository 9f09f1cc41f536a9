"""Every setting, one dataclass per section. `staragents.validation.loading.load_config` builds them."""

from staragents.config.agents import AgentConfig, AgentsConfig
from staragents.config.config import Config
from staragents.config.evolution import EvolutionConfig, PolicyName
from staragents.config.filters import FilterAction, FiltersConfig
from staragents.config.judge import Baseline, Compare, JudgeConfig, Verdicts
from staragents.config.memory import MemoryConfig, Quantization
from staragents.config.models import EngineKind, FakeConfig, ModelConfig
from staragents.config.output import OutputConfig
from staragents.config.reward import Composite, Cost, Difficulty, Fallback, RewardConfig
from staragents.config.run import RunConfig
from staragents.config.scoring import Convention, Execution, ScorerModelConfig, ScoringConfig, Template
from staragents.config.seeds import ColumnsConfig, RowFormat, SeedsConfig

__all__ = [
    "AgentConfig",
    "AgentsConfig",
    "Baseline",
    "ColumnsConfig",
    "Compare",
    "Composite",
    "Config",
    "Convention",
    "Cost",
    "Difficulty",
    "EngineKind",
    "EvolutionConfig",
    "Execution",
    "FakeConfig",
    "Fallback",
    "FilterAction",
    "FiltersConfig",
    "JudgeConfig",
    "MemoryConfig",
    "ModelConfig",
    "OutputConfig",
    "PolicyName",
    "Quantization",
    "RewardConfig",
    "RowFormat",
    "RunConfig",
    "ScorerModelConfig",
    "ScoringConfig",
    "SeedsConfig",
    "Template",
    "Verdicts",
]
