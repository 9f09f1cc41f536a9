"""The result of a campaign, as a value and as a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from .plan import WEIGHTS
from .progress import Progress


def outcome(progress: Progress) -> dict[str, Any]:
    """The output of `--json`. `ok` only if all kills were done and recovered from, and nothing was lost or
    changed."""
    victims = {}
    for kind in WEIGHTS:
        kills = [kill for kill in progress.done if kill.kind == kind]
        times = [kill.recovery_s for kill in kills if kill.recovery_s is not None]
        if kills:
            victims[kind] = {
                "kills": len(kills),
                "recovered": len(times),
                "mean_s": round(sum(times) / len(times), 2) if times else None,
                "max_s": max(times, default=None),
            }
    recovered = all(kill.recovery_s is not None for kill in progress.done)
    whole = not progress.todo and recovered and not progress.failures
    return {
        "ok": whole and not any(any(run.values()) for run in progress.runs),
        "engine": "fake",
        "minutes": round(progress.elapsed_s / 60, 1),
        "runs": progress.runs,
        "victims": victims,
        "not_done": len(progress.todo),
        "skipped": progress.skipped,
        "failures": progress.failures,
        "kills": [asdict(kill) for kill in progress.done],
    }


def table(result: dict[str, Any]) -> str:
    lines = ["| victim (fake engines) | kills | recovered | mean | longest |", "|---|---|---|---|---|"]
    for victim, row in result["victims"].items():
        mean, longest = (_seconds(row[key]) for key in ("mean_s", "max_s"))
        lines.append(f"| {victim} | {row['kills']} | {row['recovered']} | {mean} | {longest} |")
    total: Counter[str] = Counter()
    for run in result["runs"]:
        total.update(run)
    lines.append(
        f"{len(result['kills'])} kills in {result['minutes']} minutes, {len(result['runs'])} runs: "
        f"{total['lost']} seeds lost, {total['twice']} candidates twice, "
        f"{total['changed']} candidates changed, {total['dataset']} datasets changed"
    )
    lines += [f"not done: {result['not_done']} kills"] if result["not_done"] else []
    lines += [f"skipped: {kind}: {reason}" for kind, reason in result["skipped"].items()]
    return "\n".join([*lines, *(f"FAILED: {failure}" for failure in result["failures"])])


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
