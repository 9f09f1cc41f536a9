"""Rejects unusable rewrites and answers, by rules and a language detector.

A rule that could match good text checks the seed first: a pattern of the user's own data is not a failure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

from staragents.agents.language import SeedLanguages
from staragents.agents.prompt_templates import load_prompt, shipped_prompts
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
    if _leaks(rewritten, seed_instruction, _REWRITE_MARKERS) or _example_phrases() & set(_phrases(rewritten)):
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
    if _leaks(answer, instruction, _ANSWER_MARKERS):
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


def is_refusal(text: str) -> bool:
    """Whether the text begins with a refusal. A later "sorry" or a quoted refusal does not count."""
    start = _plain(text.lstrip()[:400])
    return any(pattern.match(start) for pattern in _REFUSALS)


def speaks_as_ai(text: str) -> bool:
    """Whether the text contains "as an AI language model" or similar."""
    return _AS_AI.search(_plain(text)) is not None


def _plain(text: str) -> str:
    """The text in lower case with expanded contractions."""
    text = text.lower().replace("\u2019", "'")
    for short, full in _CONTRACTIONS:
        text = text.replace(short, full)
    return text


# Applied in this order, so that the patterns need only one form of each phrase.
_CONTRACTIONS = (
    ("i'm ", "i am "),
    ("can't", "cannot"),
    ("can not", "cannot"),
    ("won't", "will not"),
    ("n't", " not"),
)
_SORRY = r"(?:(?:i am )?(?:\w+ )?sorry|(?:my )?apologies|i apologi[sz]e|unfortunately|regrettably)\b"
# The lookahead excludes persons, such as an "AI researcher".
_AI = (
    r"(?:as|i am)(?: just| only)? an? (?:[\w-]+ ){0,3}?(?:ai|artificial intelligence|language model|chatbot)"
    r"(?: (?:language )?(?:model|assistant|system|chatbot|program))?"
    r"(?=\s*[,.;]| (?:i|and|but|so|trained|created|developed|designed|without|cannot|do)\b)"
)
_AS_AI = re.compile(rf"\b(?=as){_AI}")
_UNABLE = r"\bi (?:cannot|could not|am (?:unable|not (?:able|allowed|permitted|programmed|designed)) to)"
_LACK = (
    r"\bi do not (?:understand|have (?:access|the ability|enough|personal|feelings|opinions|real-time"
    r"|any (?:personal|information|context)))"
)
# Tasks that an assistant declines; "I can't wait", "attend" or "help falling in love" is ordinary text.
_WORK = (
    r"(?:help(?! but\b| \w+ing\b)|assist|provide|fulfil|comply|answer|respond|generate|create|write|rewrite"
    r"|produce|complete|continue|proceed|engage|discuss|share|offer|support|access|browse|process|perform"
    r"|translate|give you|do (?:that|this|so)\b)"
)
_SAME_SENTENCE = r"[^.!?\n]{0,80}?"
_REFUSALS = [
    re.compile(pattern)
    for pattern in (
        rf"{_SORRY}{_SAME_SENTENCE}(?:{_UNABLE} (?:\w+ )?{_WORK}|{_LACK}|{_AI}|{_UNABLE}\s*(?:[.!,]|$))",
        rf"{_AI}{_SAME_SENTENCE}\b(?:cannot|unable|not able|not capable|do not|will not)\b",
        rf"{_UNABLE} (?:\w+ )?{_WORK}",
        r"i (?:must|have to) (?:\w+ )?decline\b",
        r"i am not comfortable (?:with|writing|providing|discussing|creating|generating|helping)\b",
    )
]

# Narrower than in untrusted_text: a false reject loses work, while a space inserted there does no harm.
_CONTROL = r"<[|\uff5c][^<>\n]{1,30}[|\uff5c]>|</?s>|\[/?INST\]|<(?:start|end)_of_turn>|<unused\d+>"

_REWRITE_MARKERS = re.compile(
    rf"{_CONTROL}|\b(?:new|rewritten|revised|given|original|last) instructions?\b"
    r"|\brewrite (?:each|the|this) instruction\b|\bdo not answer it\b|\bthe instruction(?: is|:)",
    re.IGNORECASE,
)
_ANSWER_MARKERS = re.compile(
    # Not \W*, which would scan from every line to the next word: quadratic in empty lines.
    rf"{_CONTROL}|^[^\w\n]*(?:user|human|assistant|instruction):|reply with the new instruction",
    re.IGNORECASE | re.MULTILINE,
)


# HTML strikethrough, and a quoted tag. A model that leaks its tokens wraps its whole text instead.
_STRUCK = re.compile(r"<s>[^<>\n]{1,200}</s>|`</?s>`")
_EDGES = re.compile(r"^\W+|\W+$")


def _leaks(text: str, source: str, markers: re.Pattern[str]) -> bool:
    """Whether the text contains a marker that its source does not."""
    known = source.casefold()
    text = text if _STRUCK.fullmatch(text.strip()) else _STRUCK.sub(" ", text)
    return any(_core(match[0].casefold()) not in known for match in markers.finditer(text))


def _core(marker: str) -> str:
    """A marker without surrounding punctuation, unless only one character would be left (`</s>`)."""
    core = _EDGES.sub("", marker)
    return core if len(core) > 1 else marker


PHRASE_WORDS = 8


def _phrases(text: str) -> Iterator[tuple[str, ...]]:
    found = words(text)
    return zip(*(found[start:] for start in range(PHRASE_WORDS)), strict=False)


@cache
def _example_phrases() -> frozenset[tuple[str, ...]]:
    """Phrases of the example turns in our own prompts, which small models sometimes copy."""
    return frozenset(
        phrase
        for name in shipped_prompts("instruction")
        for turn in load_prompt("instruction", name).render(instruction="", history="").turns
        if turn.role == "assistant"
        for phrase in _phrases(turn.content)
    )


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


LONGEST_PERIOD = 40
LOOP_WORDS = 12


def loops(text: str) -> bool:
    """Whether words repeat as in a degenerate loop.

    Either a phrase of up to LONGEST_PERIOD words occurs three or more times in a row and repeats at least
    LOOP_WORDS words (numbers don't count, as loops often number their lines), or two thirds of the four-word
    phrases of a longer text are repetitions.
    """
    found = [word for word in words(text) if not word.isdecimal()]
    phrases = list(zip(found, found[1:], found[2:], found[3:], strict=False))
    # A loop repeats at least this many phrases; most texts don't, so they skip the check of every period.
    if len(phrases) - len(set(phrases)) < LOOP_WORDS - 3:
        return False
    for period in range(1, min(LONGEST_PERIOD, len(found) // 2) + 1):
        run = 0
        for earlier, later in zip(found, found[period:], strict=False):
            run = run + 1 if earlier == later else 0
            if run >= max(2 * period, LOOP_WORDS):
                return True
    return len(phrases) >= 48 and len(set(phrases)) <= len(phrases) / 3
