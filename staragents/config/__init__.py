"""Every setting, one dataclass per section. `staragents.validation.loading.load_config` builds them."""

from staragents.config.agents import AgentConfig, AgentsConfig, KeptReasoning
from staragents.config.config import Config
from staragents.config.evaluation import EvaluationConfig
from staragents.config.evolution import Credit, EvolutionConfig, PolicyName
from staragents.config.filters import FilterAction, FiltersConfig
from staragents.config.judge import Baseline, Compare, JudgeConfig, Verdicts
from staragents.config.memory import Keep, MemoryConfig, Quantization
from staragents.config.models import Dtype, EngineKind, FakeConfig, ModelConfig, Reasoning
from staragents.config.output import OutputConfig, Resume
from staragents.config.reward import Composite, Cost, Difficulty, Fallback, RewardConfig
from staragents.config.run import RunConfig
from staragents.config.scoring import (
    Convention,
    Execution,
    ScoredReasoning,
    ScorerModelConfig,
    ScoringConfig,
    Template,
    WeightBits,
)
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
    "Credit",
    "Difficulty",
    "Dtype",
    "EngineKind",
    "EvaluationConfig",
    "EvolutionConfig",
    "Execution",
    "FakeConfig",
    "Fallback",
    "FilterAction",
    "FiltersConfig",
    "JudgeConfig",
    "Keep",
    "KeptReasoning",
    "MemoryConfig",
    "ModelConfig",
    "OutputConfig",
    "PolicyName",
    "Quantization",
    "Reasoning",
    "Resume",
    "RewardConfig",
    "RowFormat",
    "RunConfig",
    "ScoredReasoning",
    "ScorerModelConfig",
    "ScoringConfig",
    "SeedsConfig",
    "Template",
    "Verdicts",
    "WeightBits",
]
