"""Texts of seeds and models inside prompts: shown in full, unable to end a turn or to be a verdict.

Nothing is removed, as what is left could form a new marker. A space is put into every marker, or `> ` before
a line that poses as a turn. No pattern needs white space to match and none goes on over a space put in, so
one pass leaves nothing to find, and a text without markers stays as it is, byte for byte.
"""

from __future__ import annotations

import re

from staragents.folded_text import folded, places

# What tokenizers of chat models read as one special token. A match ends where the space goes; the rest is a
# lookahead. Counts are limited and no run is read twice, so the time taken is linear in the text.
_TAGS = "|".join(
    (
        r"s|(?:[be]os|pad|unk|mask|sep|cls)(?:_token)?|eo[dpst]|sop|bot|bom|eom|blank",
        r"(?:start|end|begin|beginning)[_-]?of[_-][a-z_-]+|(?:start|end)_[a-z]+(?:_id)?",
        r"im_[a-z_]+|fim[_-][a-z]+|unused_?\d+|extra_id_\d+|special_?\d+|(?:[a-z]+_)?reserved_[a-z_]*\d+",
        r"user|human|assistant|system|developer|observation|(?:[a-z]+:)?(?:think(?:ing)?|thought|reasoning)",
        r"(?:[a-z]+[:_])?(?:tools?|functions?)(?:[_-](?:calls?|response|responses|results?|outputs?|sep|declaration))?",
        r"arg_(?:key|value)|invoke|image|(?:image|img|audio|video|vision|speech)_[a-z_]+",
        r"file_sep|repo_?name|gh_stars|(?:jupyter|issue|commit)_[a-z]+|empty_output|filename|(?:end|start)oftext",
    )
)
_BRACKETS = "|".join(
    (
        r"(?i:/?inst|/?system_prompt|/?tool_calls|/?available_tools|/?tool_results|/?tool_content)",
        r"(?i:/?model_settings|gmask|smask|call_id|multimodal)",
        r"/?(?:ARGS|THINK|PREFIX|MIDDLE|SUFFIX|IMG|IMG_BREAK|IMG_END|AUDIO|BEGIN_AUDIO|TRANSCRIBE|CONTROL_\d+)",
        r"/?(?:[BE]OS|[BE]OT|EOD|TURN|PAD|UNK|CLS|SEP|MASK|STOP)|(?:[A-Z]+_)+(?:PAD|WORD|TEXT)",
        r"\|[^\s\[\]|]{1,40}\|",
    )
)
_TOKENS = rf"""
    <(?=/?\|[^\s<>][^<>\n]{{0,80}}\|> | /?\|[^\s<>]{{1,80}}> | [^\s<>|]{{1,80}}\|> | </?(?i:sys)>>)
  | <(?=/?(?i:{_TAGS})[ \t]{{0,4}}/?>)
  | \[(?=(?:{_BRACKETS})\])
"""
# The names under which prompts without special tokens show turns, and the judge's prompt shows its parts.
_ROLES = r"user|human|assistant|system|developer|tool|instruction|response"
_PARTS = r"input|output|context|question|answer"
_HEADERS = rf"""
  | (?P<header>)^(?=[ \t*_#]*(?i:{_ROLES})[ \t*_]*: | [ \t]*\#\#+[ \t*_]*(?i:{_PARTS})[ \t*_]*:)
"""
# `parse_verdict` reads less than this finds. A fence is `data` and 26 letters or digits of base32.
_VERDICTS = r"""
  | (?i:ver(?=dict[\W_]*[:=]))
  | \[(?=\[[^\w\[\]]*(?i:a|b|c|tie)[^\w\[\]]*\])
  | (?i:data(?=[a-z2-7]{26}))
  | <(?=/?(?i:data))
"""
_FLAGS = re.VERBOSE | re.MULTILINE
_IN_A_TURN = re.compile(_TOKENS, _FLAGS)
_IN_TEXT = re.compile(_TOKENS + _HEADERS, _FLAGS)
_IN_EVIDENCE = re.compile(_TOKENS + _HEADERS + _VERDICTS, _FLAGS)
_IN_HISTORY = re.compile(_TOKENS + _VERDICTS, _FLAGS)


def as_turn(text: str) -> str:
    """For a turn of its own in a chat: no special token of a chat template, which would end it."""
    return _broken(text, _IN_A_TURN)


def as_part(text: str) -> str:
    """For a place inside a longer text that shows turns as `User: ...`: no line that poses as one either."""
    return _broken(text, _IN_TEXT)


def as_evidence(text: str) -> str:
    """For a judge: no verdict and no fence either."""
    return _broken(text, _IN_EVIDENCE)


def as_earlier_turns(text: str) -> str:
    """For a judge: turns that were put together from parts (see `as_part`), whose own headers stay."""
    return _broken(text, _IN_HISTORY)


def _broken(text: str, markers: re.Pattern[str]) -> str:
    found = [(one.end(), one.lastgroup) for one in markers.finditer(folded(text))]
    if not found:
        return text
    pieces, start = [], 0
    for place, (_, kind) in zip(places(text, [end for end, _ in found]), found, strict=True):
        pieces += [text[start:place], "> " if kind == "header" else " "]
        start = place
    return "".join((*pieces, text[start:]))
