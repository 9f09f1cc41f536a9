"""Rejects unusable rewrites and answers, by rules and a language detector.

A rule that could match good text checks the seed first: a pattern of the user's own data is not a failure.
"""

from __future__ import annotations

import re
from collections import Counter

from staragents.agents.language import SeedLanguages
from staragents.agents.loops import loops
from staragents.agents.prompt_leak import leaks_in_answer, leaks_in_rewrite
from staragents.agents.refusal import is_refusal
from staragents.base.generation import Generation
from staragents.base.records import MISALIGNED
from staragents.text.storable import REPLACEMENT
from staragents.text.thinking import shows_thought
from staragents.text.words import words

REASONS = {
    "empty": "it is empty",
    "damaged": "it contains a broken character (U+FFFD)",
    "cut_off": "it was truncated at max_tokens",
    "thought_cut_off": "the model was still thinking at its token limit and had answered nothing",
    "thought_leak": "it contains a thought",
    "content_filter": "the server's content filter stopped it",
    "refusal": "it is a refusal",
    "prompt_leak": "it repeats the agent's own prompt",
    "echo": "it repeats the instruction",
    "repetition": "it repeats itself",
    "no_change": "it says the same as the seed's instruction",
    "lost_input": "it lost the input text of the instruction",
    "answered": "it answers the instruction instead of rewriting it",
    "other_language": "it is in another language than the seed",
    "too_long": "it is far longer than the seed's instruction",
    MISALIGNED: "its instruction makes its response less likely (an IFD above 1), so they do not match",
}
"""Every reject reason and what it says of the text. All but the last are rules on a text, found here."""


def rewrite_problem(
    seed_instruction: str,
    rewritten: str,
    generation: Generation,
    languages: SeedLanguages | None = None,
    continues: bool = False,
) -> str | None:
    """Why a rewritten instruction is unusable, as one of REASONS, or None if it is usable.

    `rewritten` is the cleaned text of `generation`. `languages` are those of the seed, or None if rewrites
    may change the language. With `continues`, the instruction follows the whole seed instead of replacing a
    turn.
    """
    if reason := _unfinished(generation):
        return reason
    if not any(character.isalnum() for character in rewritten):
        return "empty"
    if generation.finish_reason == "length":
        return "cut_off"
    if shows_thought(rewritten) and not shows_thought(seed_instruction):
        return "thought_leak"
    if REPLACEMENT in rewritten and REPLACEMENT not in seed_instruction:
        return "damaged"
    if is_refusal(rewritten):
        return "refusal"
    if leaks_in_rewrite(rewritten, seed_instruction):
        return "prompt_leak"
    if loops(rewritten) and not loops(seed_instruction):
        return "repetition"
    if _states(rewritten) and not _states(seed_instruction):
        return "answered"
    old, new = words(seed_instruction), words(rewritten)
    if _adds_nothing(old, new):
        return "no_change"
    if not continues and _lost_input(seed_instruction, rewritten):
        return "lost_input"
    if len(new) > 2 * len(old) + 100:
        return "too_long"
    # Last, as it is the slowest: about 0.1 ms.
    if languages is not None and languages.strays_in_rewrite(rewritten):
        return "other_language"
    return None


def answer_problem(
    instruction: str,
    answer: str,
    generation: Generation,
    seed_response: str,
    languages: SeedLanguages | None = None,
) -> str | None:
    """Why an answer is unusable, as one of REASONS, or None if it is usable.

    `languages` are those of the seed, or None if answers may change the language. A refusal, loop, echo or
    broken character is allowed if the seed's own response has it, as some data teaches that.
    """
    if reason := _unfinished(generation):
        return reason
    if not answer.strip():
        return "empty"
    if generation.finish_reason == "length":
        return "cut_off"
    if shows_thought(answer) and not shows_thought(seed_response) and not shows_thought(instruction):
        return "thought_leak"
    if REPLACEMENT in answer and REPLACEMENT not in instruction + seed_response:
        return "damaged"
    if is_refusal(answer) and not is_refusal(seed_response):
        return "refusal"
    if leaks_in_answer(answer, instruction):
        return "prompt_leak"
    if _echoes(instruction, answer) and not _echoes(instruction, seed_response):
        return "echo"
    if loops(answer) and not loops(seed_response) and not loops(instruction):
        return "repetition"
    if languages is not None and languages.strays_in_answer(answer):
        return "other_language"
    return None


def _unfinished(generation: Generation) -> str | None:
    """Why a model that began to write wrote no answer."""
    if generation.finish_reason == "content_filter":
        return "content_filter"
    return "thought_cut_off" if thought_cut_off(generation) else None


def thought_cut_off(generation: Generation) -> bool:
    """Whether the token limit ended the thought, so that there is no answer."""
    thought = generation.reasoning_tokens > 0 or bool(generation.reasoning.strip())
    return generation.finish_reason == "length" and thought and not generation.text.strip()


_ANSWERED = re.compile(
    r"(?:yes|no|sure|certainly|of course)[,.!]|the (?:correct |right )?answer\b"
    r"|here (?:is|are) (?:[\w-]+ ){1,3}(?:list|answer|example|response|tip|suggestion|idea|step|way|possible)"
    r"|to \w+ [^?:\n]*, you (?:can|could|would|will|should|need|'ll)\b"
    r"|here's (?:the|a|an|some) ",
    re.IGNORECASE,
)

# A single statement that is neither a question nor an introduction, so it contains no task.
_STATEMENT = re.compile(
    r"(?:the|an?|this|these|there|it|they|you (?:can|could|have)|i'm|i am|my)\b[^?:\n]*", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"[.!]\s+\S")


def _states(text: str) -> bool:
    """Whether the text is an answer or a statement instead of an instruction."""
    if _ANSWERED.match(text):
        return True
    return bool(_STATEMENT.fullmatch(text)) and not _SENTENCE_END.search(text)


def _adds_nothing(old: list[str], new: list[str]) -> bool:
    """Whether the new text adds at most one word to the old one, or none if the old one is short."""
    added = sum((Counter(new) - Counter(old)).values())
    return added == 0 or (added == 1 and len(old) > 3)


_POINTS_AT_INPUT = re.compile(
    r"\b(?:(?:this|these|the (?:given|following|above)) \w+|(?:given|following|above|below)\b)", re.IGNORECASE
)


def _lost_input(seed_instruction: str, rewritten: str) -> bool:
    """Whether the rewrite keeps the task or refers to its input, but lost the input. A new task (`broaden`)
    needs no input."""
    head, *rest = re.split(r"\n\s*\n|:\s*\n", seed_instruction, maxsplit=1)
    task, given, new = words(head), words("".join(rest)), words(rewritten)
    if len(given) < 3 or _kept(given, new) >= 0.5:
        return False
    return _kept(task, new) >= 0.5 or bool(_POINTS_AT_INPUT.search(rewritten))


def _kept(old: list[str], new: list[str]) -> float:
    return sum((Counter(old) & Counter(new)).values()) / max(1, len(old))


def _echoes(instruction: str, answer: str) -> bool:
    """Whether the answer repeats the instruction, including its start and end. A corrected text changes
    one."""
    old, new = words(instruction), words(answer)
    if len(old) < 4:
        return False
    near = 0.8 <= len(new) / len(old) <= 1.2 and old[:3] == new[:3] and old[-3:] == new[-3:]
    return new == old or (near and _adds_nothing(old, new))
