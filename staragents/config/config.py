"""The whole config."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from staragents.config.agents import AgentsConfig
from staragents.config.evaluation import EvaluationConfig
from staragents.config.evolution import EvolutionConfig
from staragents.config.filters import FiltersConfig
from staragents.config.judge import JudgeConfig
from staragents.config.marks import Mark
from staragents.config.memory import MemoryConfig
from staragents.config.models import ModelConfig
from staragents.config.output import OutputConfig
from staragents.config.reward import RewardConfig
from staragents.config.run import RunConfig
from staragents.config.scoring import ScoringConfig
from staragents.config.seeds import SeedsConfig


@dataclass
class Config:
    """All settings of a run. See configs/ for presets."""

    seeds: Annotated[SeedsConfig, Mark.shared] = field(default_factory=SeedsConfig)
    models: Annotated[dict[str, ModelConfig], Mark.extensible, Mark.shared] = field(default_factory=dict)
    agents: AgentsConfig = field(default_factory=AgentsConfig)
    evolution: EvolutionConfig = field(default_factory=EvolutionConfig)
    scoring: Annotated[ScoringConfig, Mark.shared] = field(default_factory=ScoringConfig)
    judge: JudgeConfig = field(default_factory=JudgeConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    filters: Annotated[FiltersConfig, Mark.live] = field(default_factory=FiltersConfig)
    run: RunConfig = field(default_factory=RunConfig)
    output: Annotated[OutputConfig, Mark.on_resume] = field(default_factory=OutputConfig)
    evaluation: Annotated[EvaluationConfig, Mark.live, Mark.shared] = field(default_factory=EvaluationConfig)

    @property
    def pairs(self) -> list[str]:
        """All agent pairs of the run, including base pairs, in a fixed order."""
        named = self.agents.pairs
        if named is None:
            named = [f"{i}+{r}" for i in self.agents.instruction for r in self.agents.response]
        return named + [pair for pair in self.agents.base_pairs if pair not in named]

    @property
    def drawn_pairs(self) -> list[str]:
        """The pairs that the policy draws from: all but the base pairs, which every seed calls."""
        return [pair for pair in self.pairs if pair not in self.agents.base_pairs]

    @property
    def candidates_per_seed(self) -> int:
        """The checks keep `evolution.draws` within the number of pairs that can be drawn."""
        return len(self.agents.base_pairs) + self.evolution.draws

    @property
    def unused_models(self) -> list[str]:
        """Models that neither an agent nor the judge names. They are loaded all the same: `change` may add
        agents that use them, and `compare --judge` names one."""
        agents = (*self.agents.instruction.values(), *self.agents.response.values())
        used = {self.judge.model, *(agent.model for agent in agents)}
        return [name for name in self.models if name not in used]

    @property
    def retired_pairs(self) -> set[str]:
        """Pairs that are retired or contain a retired agent."""
        retired = set(self.agents.retired)
        return {pair for pair, agents in self.factors.items() if retired & {pair, *agents}}

    @property
    def factors(self) -> dict[str, tuple[str, str]]:
        """The instruction agent's and the response agent's name of every pair."""
        return {pair: (pair.partition("+")[0], pair.partition("+")[2]) for pair in self.pairs}
