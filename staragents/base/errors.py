"""The errors shown to users, with the exit codes of the command line."""

from __future__ import annotations

from collections.abc import Iterable

from staragents.base.redaction import redacted

INTERRUPTED = 130
"""Exit code after Ctrl-C, by shell convention. The classes below define the other codes."""


class StarAgentsError(Exception):
    """A failure that one line explains. Exit code 1.

    Messages quote servers, libraries and user input, so they are redacted on construction: an error contains
    no secret wherever it is shown or stored.
    """

    exit_code = 1

    def __init__(self, message: object = "") -> None:
        super().__init__(redacted(str(message)))


class BadInput(StarAgentsError):
    """The config, seeds, models or output folder are unusable; nothing was written. Exit code 2.

    Each problem is one line that names the dotted config key or `file:row:field`.
    """

    exit_code = 2

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = [redacted(line) for line in ([problems] if isinstance(problems, str) else problems)]
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[type[BadInput], tuple[list[str]]]:
        return type(self), (self.problems,)


class RunFailed(StarAgentsError):
    """The run had to stop. Finished work is saved; run the same command to resume. Exit code 1."""


class TemporaryFailure(RunFailed):
    """A hub was too slow or too busy: the same call may succeed later."""


class EngineError(StarAgentsError):
    """A generation failed. A retry may succeed if `retryable`."""

    retryable = True


class PromptTooLong(EngineError):
    """The prompt leaves no room for an answer in the model's context. A retry can't succeed."""

    retryable = False


class EngineDead(StarAgentsError):
    """The engine can't serve requests any more; its actor must exit and be replaced (ray#60145)."""
