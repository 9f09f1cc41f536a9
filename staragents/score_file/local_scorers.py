"""Runs the models of a score command in this process, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from staragents.score_file.loading import load
from staragents.score_file.settings import ScoreSettings
from staragents.scoring.ifd import Score, ScoreRow
from staragents.scoring.open_model import RowModel


class LocalScorers:
    """Keeps both models in memory. They run sequentially, as they share the same cores or GPU."""

    def __init__(self, models: Mapping[str, RowModel]) -> None:
        self._models = models
        self.parameters = {role: model.parameters for role, model in models.items()}
        self.same_tokenizer = len({model.tokenizer_id for model in models.values()}) == 1

    def score(self, windows: Iterable[list[ScoreRow]]) -> Iterator[dict[str, list[Score]]]:
        """Scores by role for each window."""
        for window in windows:
            yield {role: model.score(window) for role, model in self._models.items()}


@contextmanager
def local_scorers(paths: Mapping[str, str], settings: ScoreSettings) -> Iterator[LocalScorers]:
    """Load the models. Raises BadInput as one line with the option's name."""
    yield LocalScorers({role: load(role, path, settings) for role, path in paths.items()})
