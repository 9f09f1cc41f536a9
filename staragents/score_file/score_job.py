"""Runs a score command: scan the data, load the models, score missing rows, write the output."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from staragents.base.errors import BadInput, RunFailed
from staragents.config import ScoredReasoning
from staragents.data.readers.data_files import DataFiles
from staragents.data.readers.encodings import encoding_problem
from staragents.data.readers.row_messages import RowReader
from staragents.files.atomic_file import replacing
from staragents.score_file.command_facts import changed, command_facts, scoring_facts
from staragents.score_file.input_columns import json_text
from staragents.score_file.input_data import opened_input
from staragents.score_file.loading import resolve
from staragents.score_file.local_scorers import local_scorers
from staragents.score_file.output import ScoredFile, check_output
from staragents.score_file.parts import Parts
from staragents.score_file.scan import Scan, scan
from staragents.score_file.score_table import PROBLEM
from staragents.score_file.scoring_pass import Scorers, score_missing
from staragents.score_file.settings import ScoreSettings
from staragents.score_file.summary import summarise

_REASONING = {
    ScoredReasoning.ignore: "which is not scored",
    ScoredReasoning.context: "after which they are scored",
    ScoredReasoning.both: "which is scored with them",
}


class Watch(Protocol):
    """Receives messages and progress of a score job."""

    def say(self, line: str) -> None: ...

    def begin(self, rows: int, done: int) -> None: ...

    def advance(self, rows: int) -> None: ...


class ScoreJob:
    """A score command. `NAME.parts/`, next to the output, holds the scores so far. The finished output is
    accompanied by `NAME.summary.json` and, if there were bad rows, `NAME.quarantine.jsonl`."""

    def __init__(
        self,
        settings: ScoreSettings,
        watch: Watch,
        open_scorers: Callable[[dict[str, str], ScoreSettings], AbstractContextManager[Scorers]] = (
            local_scorers
        ),
    ) -> None:
        """`open_scorers` loads models from their folders or hub ids by role, and frees them afterwards."""
        self._settings = settings
        self._watch = watch
        self._open = open_scorers
        self._output = settings.output.absolute()
        self._parts = Parts(self._beside(".parts"))
        self._reader = RowReader(
            settings.columns, may_be_blank=True, format=settings.format, setting="--columns {}=..."
        )

    def run(self) -> dict[str, Any]:
        """Run the command and return the summary. Rows that a killed run of the same command scored are
        reused.

        Raises BadInput before anything is written, RunFailed or KeyboardInterrupt with all finished rows
        saved.
        """
        check_output(self._settings.output)
        if problem := encoding_problem(self._settings.encoding):
            raise BadInput(f"--encoding: {problem}")
        weights = {option: resolve(option, name) for option, name in self._settings.weights.items()}
        paths = {role: weights[role] for role in self._settings.models}
        with opened_input(self._settings, self._reader.columns, self._beside(".stdin.jsonl")) as data:
            found = scan(data, self._reader, self._settings.strict)
            scoring = scoring_facts(self._settings, found, weights)
            command = command_facts(self._settings, scoring, data)
            if (summary := self._finished(scoring, command)) is not None:
                self._watch.say(f"{self._output.name} is already finished")
                return summary
            for note in data.notes.lines():
                self._watch.say(f"note: {note}")
            self._report_bad(found)
            self._report_reasoning(found)
            self._watch.say(f"loading {' and '.join(self._settings.models.values())}")
            # Before anything is written, so that a model that fails to load leaves no files.
            with self._open(paths, self._settings) as scorers:
                return self._run(data, found, scorers, scoring, command)

    def _run(
        self,
        data: DataFiles,
        found: Scan,
        scorers: Scorers,
        scoring: dict[str, Any],
        command: dict[str, Any],
    ) -> dict[str, Any]:
        started = time.monotonic()
        settings, roles = self._settings, list(self._settings.models)
        try:
            self._parts.open(scoring, overwrites=settings.overwrite or not self._output.exists())
        except OSError as error:
            raise BadInput(f"-o: can't write to {self._output.parent}: {error.strerror}") from error
        try:
            if damaged := self._parts.set_aside:
                self._watch.say(
                    f"{len(damaged)} parts of {self._parts.folder} are damaged or follow a gap "
                    f"({damaged[0]}): their rows are scored again"
                )
            done = self._parts.rows
            self._watch.begin(found.rows, done)
            score_missing(data, self._reader, scorers, self._parts, self._watch.advance)
            summary = {
                "output": str(settings.output),
                "models": {
                    role: {"name": name, "parameters": scorers.parameters[role]}
                    for role, name in settings.models.items()
                },
                "settings": {**settings.decides_scores(), **settings.decides_rows()},
                **summarise(self._parts.tables(), roles),
                "rows_before": done,
                "command": command,
            }
            self._write(data, roles, found, summary, started)
        finally:
            self._parts.close()
        self._parts.remove()
        return summary

    def _write(
        self, data: DataFiles, roles: list[str], found: Scan, summary: dict[str, Any], started: float
    ) -> None:
        settings = self._settings
        scored = ScoredFile(self._output, data, self._parts, roles)
        indices = settings.selection.output_indices(self._parts.tables(), found.rows)
        try:
            with self._replacing(self._output) as temporary:
                sort = settings.selection.sort_by is not None
                summary["rows_written"] = scored.write(temporary, indices, sort)
                if scored.encoded:
                    columns = ", ".join(scored.encoded)
                    self._watch.say(f"note: {self._output.name} has the bytes of {columns} in base64")
                summary["seconds"] = round(time.monotonic() - started, 3)
                self._write_beside(".quarantine.jsonl", self._quarantine() if found.bad else None)
                # The summary first: while the parts exist, a resumed command writes output and summary
                # again anyway.
                self._write_beside(".summary.json", iter([json_text(summary)]))
        except OSError as error:
            raise RunFailed(f"-o: can't write {self._output}: {error.strerror or error}") from error

    def _finished(self, scoring: dict[str, Any], command: dict[str, Any]) -> dict[str, Any] | None:
        """The summary if this command has already finished. Raises BadInput if continuing would delete the
        work of a different command."""
        if self._settings.overwrite:
            return None
        started = self._parts.manifest()
        if started is not None and (different := changed(started["facts"], scoring)):
            raise BadInput(
                f"-o: {self._parts.folder} contains rows of a different, unfinished command (changed: "
                f"{different}); use a different -o, or --overwrite to delete them"
            )
        if not self._output.exists() or (started is not None and started["overwrites"]):
            return None
        try:
            summary = json.loads(self._beside(".summary.json").read_text(encoding="utf-8"))
            before = summary["command"]
        except (OSError, ValueError, KeyError, TypeError):
            raise BadInput(f"-o: {self._output} already exists; use a different -o, or --overwrite") from None
        if different := changed(before, command):
            raise BadInput(
                f"-o: {self._output} is from a different command (changed: {different}); "
                "use a different -o, or --overwrite"
            )
        return dict(summary)

    def _report_bad(self, found: Scan) -> None:
        if found.bad:
            self._watch.say(f"{found.bad} bad rows are omitted, see {self._beside('.quarantine.jsonl')}:")
            for problem in found.problems:
                self._watch.say(f"  {problem}")

    def _report_reasoning(self, found: Scan) -> None:
        if found.with_reasoning:
            use = self._settings.scoring.reasoning
            self._watch.say(
                f"{found.with_reasoning} answers have reasoning, {_REASONING[use]} (--reasoning {use})"
            )

    def _quarantine(self) -> Iterator[str]:
        for part in self._parts.tables():
            for problem in part[PROBLEM].drop_null().to_pylist():
                yield json.dumps({"problem": problem}, ensure_ascii=False)

    def _write_beside(self, suffix: str, lines: Iterator[str] | None) -> None:
        """Atomically replace a companion file, or remove an earlier one."""
        path = self._beside(suffix)
        if lines is None:
            path.unlink(missing_ok=True)
            return
        with (
            self._replacing(path) as temporary,
            temporary.open("w", encoding="utf-8", newline="\n") as file,
        ):
            file.writelines(f"{line}\n" for line in lines)

    def _replacing(self, path: Path) -> AbstractContextManager[Path]:
        """The temporary file is among the parts, which are removed at the end, even if this process is
        killed."""
        return replacing(path, self._parts.folder)

    def _beside(self, suffix: str) -> Path:
        return self._output.with_name(self._output.name + suffix)
