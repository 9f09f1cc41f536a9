"""Warnings about problems in a summary, each with a setting to try."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from staragents.base.records import MISALIGNED, rejected_by

# With fewer observations, shares and means are noise, and so is advice based on them.
MIN_OBSERVATIONS = 10
REMEDIES = {
    "cut_off": "a larger agents.*.max_tokens or a prompt that asks for less",
    "other_language": "models that know the seeds' language, or agents.keep_language=false",
    "thought_cut_off": "a larger models.*.thinking_tokens or models.*.reasoning=off",
    "thought_leak": "another model or models.*.reasoning=off",
    "empty": "models.*.reasoning=off if the model thinks and then answers nothing, or a stronger model",
    "content_filter": "another server or model, or seeds without the content that it stops",
    "refusal": "another model, or seeds without the content it declines",
}
"""For reject reasons that a lower temperature or a stronger model is unlikely to fix."""


def warnings_for(summary: dict[str, Any]) -> list[str]:
    """The warnings of a summary (see `staragents.analysis.summary`), most severe first."""
    return [
        *_about_engines(summary),
        *_about_yield(summary["funnel"], summary["judge"]),
        *_about_thoughts(summary),
        *_about_ifd(summary["ifd"]),
        *_about_judge(summary["judge"], summary["run"]),
        *_about_pairs(summary),
        *_about_memory(summary["memory"], summary["run"]),
    ]


def _about_engines(summary: dict[str, Any]) -> Iterator[str]:
    if summary["fake"]:
        yield (
            f"fake engines in use ({', '.join(summary['fake'])}): the numbers and the data say nothing about "
            "quality; set models.<name>.kind=vllm and real scoring models"
        )


def _about_yield(funnel: dict[str, Any], judge: dict[str, Any]) -> Iterator[str]:
    drawn = funnel["drawn"]
    if drawn < MIN_OBSERVATIONS:
        return
    reasons = {reason: n for reason, n in funnel["rejected"].items() if reason != MISALIGNED}
    failed, rejected = sum(funnel["failed"].values()), sum(reasons.values())
    if failed > 0.05 * drawn:
        stage = max(funnel["failed"], key=funnel["failed"].__getitem__)
        yield (
            f"{failed / drawn:.0%} of the candidates failed, most often at stage {stage}: "
            "see quarantine.parquet"
        )
    reason = max(reasons, key=reasons.__getitem__, default="")
    # `_about_thoughts` names the models of thoughts that were cut off.
    if rejected > 0.5 * drawn and rejected_by(reason)[1] != "thought_cut_off":
        yield (
            f"{rejected / drawn:.0%} of the candidates were rejected, most often for {reason}: try "
            f"{REMEDIES.get(rejected_by(reason)[1], 'a lower temperature or a stronger model')}"
        )
    if funnel["accepted"] == 0:
        yield f"no candidate was accepted, so the dataset {_dataset(funnel)}: {_why_none(funnel, judge)}"
    elif funnel["rows"] == 0:
        yield "the dataset is empty, because filters dropped every row: see filtered.parquet"


def _dataset(funnel: dict[str, Any]) -> str:
    """What the dataset is if no candidate was accepted."""
    if funnel["rows"] == 0:
        return "is empty"
    return "contains only the seeds that filters kept" if funnel["filtered_out"] else "equals the seeds"


def _why_none(funnel: dict[str, Any], judge: dict[str, Any]) -> str:
    """Why no candidate was accepted, or what to try."""
    if judge["tried"] and not judge["judged"]:
        return "the judge gave no readable verdict"
    if not funnel["generated"]:
        return "every candidate failed or was rejected"
    return "look at the examples, or try stronger models or reward.require_win=false"


def _about_thoughts(summary: dict[str, Any]) -> Iterator[str]:
    drawn, agents = summary["funnel"]["drawn"], summary.get("thoughts_cut_off", {})
    by_model: dict[str, list[str]] = {}
    for agent in agents:
        by_model.setdefault(_model_of(agent, summary["run"]), []).append(agent)
    for model, of_model in by_model.items():
        count = sum(agents[agent] for agent in of_model)
        if drawn >= MIN_OBSERVATIONS and count > 0.05 * drawn:
            yield (
                f"{count / drawn:.0%} of the candidates were rejected because the thought was cut off "
                f"({', '.join(of_model)}): try {_more_thought(model, summary['run'])}"
            )


def thought_remedy(model: str, is_off: bool, now: int | None = None) -> str:
    """The setting against thoughts that are cut off. `is_off`: whether the model is asked not to think, so
    that its thoughts have no budget of their own. `now`: its thinking_tokens, if they are to be named."""
    if is_off:
        return (
            f"models.{model}.reasoning=auto, which gives its thoughts thinking_tokens, as it thinks although "
            "reasoning is off"
        )
    known = "" if now is None else f" (now {now})"
    return f"a larger models.{model}.thinking_tokens{known} or models.{model}.reasoning=off"


def _more_thought(model: str, run: dict[str, Any]) -> str:
    return thought_remedy(model, model in run.get("reasoning_off", ()))


def _model_of(agent: str, run: dict[str, Any]) -> str:
    return run.get("models_of", {}).get(agent, "*")


def _about_ifd(ifd: dict[str, Any]) -> Iterator[str]:
    for model in ("target", "larger"):
        numbers = ifd[model]
        if numbers["scored"] >= MIN_OBSERVATIONS and numbers["misaligned"] > 0.5:
            yield (
                f"more than half of the IFDs are above 1 under the {model} model "
                f"({numbers['misaligned']:.0%}): an unfamiliar template can cause this; try "
                "scoring.template=plain"
            )
        lost = sum(numbers["unscorable"].values())
        if numbers["tried"] >= MIN_OBSERVATIONS and lost > 0.1:
            status = max(numbers["unscorable"], key=numbers["unscorable"].__getitem__)
            yield (
                f"{lost:.0%} of the texts have no IFD under the {model} model, most often with status "
                f"{status}: try a larger scoring.max_length or a smaller scoring.min_answer_tokens"
            )
    correlation = ifd["correlation"]
    if correlation is not None and ifd["both"] >= MIN_OBSERVATIONS and correlation > 0.95:
        yield (
            f"both models give almost the same IFDs (correlation {correlation:.2f}), so their gap is mostly "
            "noise: try a stronger scoring.larger.model"
        )


def _about_judge(judge: dict[str, Any], run: dict[str, Any]) -> Iterator[str]:
    if judge["tried"] >= MIN_OBSERVATIONS and judge["invalid"] > 0.05:
        advice = unreadable_advice(judge, run)
        yield f"{judge['invalid']:.0%} of the judge's verdicts were unreadable: {advice}"
    if judge["judged"] < MIN_OBSERVATIONS:
        return
    bias = judge["position_bias"]
    if bias is not None and abs(bias) > 0.1:
        position = "first" if bias > 0 else "second"
        yield (
            f"the judge prefers the {position} position by {abs(bias):.2f}: keep judge.both_orders=true and "
            "judge.verdict=soft, or try a stronger judge"
        )
    agreement = judge["agreement"]
    if agreement is not None and agreement < 0.6:
        yield (
            f"the judge gives the same verdict in both orders only {agreement:.0%} of the time: "
            "try judge.verdict=conservative or a stronger judge"
        )
    yield from _about_labels(judge, run)
    correlation = judge["length_correlation"]
    if correlation is not None and correlation > 0.4:
        yield (
            f"the judge prefers longer responses (correlation {correlation:.2f}): try a smaller max_tokens "
            "of the response agents, or another judge"
        )


def _about_labels(judge: dict[str, Any], run: dict[str, Any]) -> Iterator[str]:
    """Advice if soft verdicts on a server mostly have no probabilities, and no remark says so."""
    label_only, name = judge.get("label_only"), run.get("judge")
    is_on_server = run.get("engines", {}).get(name) == "openai"
    if label_only is None or label_only < 0.5 or run.get("verdict") != "soft" or not is_on_server:
        return
    if not any("log-probabilities" in line for line in run.get("servers", {}).get(name, ())):
        yield (
            f"{label_only:.0%} of the verdicts use only their label, as the log-probabilities of "
            f"models.{name} show no other label at the verdict"
        )


def unreadable_advice(judge: dict[str, Any], run: dict[str, Any]) -> str:
    """What to try against unreadable verdicts, and the first of them. `judge` and `run` of a summary."""
    remedy = "judge.reason=false, a larger judge.retries or a stronger judge"
    if 2 * judge.get("still_thinking", 0) > judge.get("unreadable", 0):
        remedy = _more_thought(_model_of("judge", run), run)
    first = judge.get("first_unreadable")
    return f"try {remedy}{f' (the first: {first})' if first else ''}"


def _about_pairs(summary: dict[str, Any]) -> Iterator[str]:
    accepted, pairs = summary["funnel"]["accepted"], summary["pairs"]
    if accepted < 2 * MIN_OBSERVATIONS or len(pairs) < 3:
        return
    name, dominant = max(pairs.items(), key=lambda item: item[1]["accepted"])
    if dominant["accepted"] > 0.7 * accepted:
        yield (
            f"one pair dominates: {name} wrote {dominant['accepted'] / accepted:.0%} of the accepted "
            "samples; try a larger evolution.floor, a larger evolution.exploration (thompson, ucb) or a "
            "smaller evolution.rate (paper, additive)"
        )


def _about_memory(memory: dict[str, Any], run: dict[str, Any]) -> Iterator[str]:
    if failures := run.get("memory", {}).get("failures", 0):
        yield (
            f"the memory bank was unavailable for {failures} seeds, whose pairs were drawn without "
            "it: check memory.url or try a larger memory.timeout_s"
        )
    if memory["enabled"] and memory["seeds"] >= 10 * MIN_OBSERVATIONS and memory["hit_rate"] == 0:
        yield (
            "the memory bank never recalled anything: try a smaller memory.min_similarity (and memory.warmup "
            "with memory.keep=winners), or memory.enabled=false to save the embedding"
        )
