"""The best path through a tree of messages, as OpenAssistant publishes them."""

from __future__ import annotations

from typing import Any

from staragents.rows.misfit import Misfit, shown
from staragents.rows.turns import ROLES

Node = dict[str, Any]


def best_path(root: Any, column: str) -> list[Node]:
    """Turns from the root to the answer at the end of the best path.

    Best is what people ranked first (rank 0), then what was ranked at all, then what comes first; deleted and
    rejected messages, and questions that nobody answered, are not on it. Raises Misfit.
    """
    if not isinstance(root, dict):
        raise Misfit(column, f"expected a message with replies, got {shown(root)}")
    path: list[Node] = []
    node: Node | None = root
    while node is not None:
        path.append(node)
        node = _best(node.get("replies"))
    # A path may end with a question.
    while path and not _is_answer(path[-1]):
        path.pop()
    if not path:
        raise Misfit(column, "expected a tree with an answer, got none that is usable")
    return path


def _best(replies: Any) -> Node | None:
    usable = [reply for reply in replies if _usable(reply)] if isinstance(replies, list) else []
    # Of two questions, the one that was answered.
    led_on = [reply for reply in usable if _is_answer(reply) or _answered(reply)]
    return min(led_on, key=_rank, default=None)


def _usable(node: Any) -> bool:
    return isinstance(node, dict) and not node.get("deleted") and node.get("review_result") is not False


def _answered(node: Node) -> bool:
    replies = node.get("replies")
    return isinstance(replies, list) and any(_usable(reply) and _is_answer(reply) for reply in replies)


def _is_answer(node: Node) -> bool:
    role = node.get("role")
    return isinstance(role, str) and ROLES.get(role) == "assistant"


def _rank(node: Node) -> float:
    rank = node.get("rank")
    return float(rank) if isinstance(rank, int) and 0 <= rank < 1 << 31 else float("inf")
