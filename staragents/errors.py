"""The errors a user sees. Their two children carry the exit code of the command line."""

from __future__ import annotations

from collections.abc import Iterable

from staragents.redaction import redacted

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it; the other codes are those of the classes below."""


class StarAgentsError(Exception):
    """Something went wrong that we can explain in one line. Exit code 1.

    Servers, libraries and users' input speak in these lines, so secrets are taken out as they are made:
    wherever the error is shown or stored, it holds none.
    """

    exit_code = 1

    def __init__(self, message: object = "") -> None:
        super().__init__(redacted(str(message)))


class BadInput(StarAgentsError):
    """Config, seeds, models or the output folder are not usable: nothing was written. Exit code 2.

    Every problem found is one line that names the dotted config key or `file:row:field`.
    """

    exit_code = 2

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = [redacted(line) for line in ([problems] if isinstance(problems, str) else problems)]
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[type[BadInput], tuple[list[str]]]:
        return type(self), (self.problems,)


class RunFailed(StarAgentsError):
    """The run could not go on; what was finished is saved and the same command resumes it. Exit code 1."""


class EngineError(StarAgentsError):
    """One generation failed; another try may succeed if `retryable`."""

    retryable = True


class PromptTooLong(EngineError):
    """The prompt leaves no room for an answer in the model's context; trying again can't help."""

    retryable = False


class EngineDead(StarAgentsError):
    """The engine can't serve any more; its actor must leave and be replaced (ray#60145)."""
