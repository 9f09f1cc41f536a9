"""The best path through a message tree in OpenAssistant's format."""

from __future__ import annotations

from typing import Any

from staragents.data.readers.raw_row import InvalidRow, shown
from staragents.data.readers.turn_parts import ROLES

TREE = "prompt"
REPLIES = "replies"
WHOLE_ROW = "row"
Node = dict[str, Any]


def best_path(root: Any, column: str) -> list[Node]:
    """Turns from the root to the answer at the end of the best path.

    Prefers the reply that people ranked first (rank 0), then other ranked replies, then the first reply.
    Skips deleted and rejected messages and unanswered questions. Raises InvalidRow.
    """
    if not isinstance(root, dict):
        raise InvalidRow(column, "expected a message with replies", shown(root))
    path: list[Node] = []
    node: Node | None = root
    while node is not None:
        path.append(node)
        node = _best(node.get("replies"))
    # Drop an unanswered question at the end.
    while path and not _is_answer(path[-1]):
        path.pop()
    if not path:
        raise InvalidRow(column, "expected a tree with a usable answer", "none")
    return path


def _best(replies: Any) -> Node | None:
    usable = [reply for reply in replies if _usable(reply)] if isinstance(replies, list) else []
    # Skip unanswered questions.
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
    # pandas writes whole numbers with a point where some rows have none.
    if isinstance(rank, int | float) and 0 <= rank < 1 << 31 and rank == int(rank):
        return float(rank)
    return float("inf")


def tree_column(value: dict[str, Any]) -> str | None:
    """The column of a message tree, `row` if the row is the tree's root, or None."""
    prompt = value.get(TREE)
    if isinstance(prompt, dict) and (REPLIES in prompt or REPLIES in value):
        return TREE
    return WHOLE_ROW if REPLIES in value and not isinstance(prompt, dict) else None
