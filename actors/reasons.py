"""Why a call of Ray failed or an actor did not start, as one line without secrets."""

from __future__ import annotations

from ray.exceptions import RayTaskError

from staragents.base.errors import StarAgentsError
from staragents.base.last_error import last_error, short_reason


def reason_of(error: BaseException) -> str:
    """The reason in an error of a call of Ray: the message of our own cause, else the end of the actor's
    traceback, else Ray's message."""
    if (cause := own_cause(error)) is not None:
        return short_reason(str(cause))
    text = error.traceback_str if isinstance(error, RayTaskError) else str(error)
    return last_error(text) or type(error).__name__


def own_cause(error: BaseException) -> StarAgentsError | None:
    """The exception of ours that an actor raised, if `error` is Ray's report of one."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, StarAgentsError) else None
