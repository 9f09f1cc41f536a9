"""Neutralises seed and model texts inside prompts, so that they cannot end a turn or imitate a verdict.

Nothing is removed, as the remainder could form a new marker. Instead, every marker gets a space inside, and a
line that imitates a turn gets a leading `> `. No pattern requires white space, and none matches across an
inserted space, so one pass is enough. A text without markers stays identical, byte for byte.
"""

from __future__ import annotations

import re

from staragents.text.folded_text import folded, original_indices

# Special tokens of chat tokenizers. A match ends where the space is inserted; the rest is a lookahead. Repeat
# counts are bounded and no run is read twice, so the time is linear in the text.
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
# Headers of turns in prompts without special tokens, and of the parts of the judge's prompt.
_ROLES = r"user|human|assistant|system|developer|tool|instruction|response"
_PARTS = r"input|output|context|question|answer"
_HEADERS = rf"""
  | (?P<header>)^(?=[ \t*_#]*(?i:{_ROLES})[ \t*_]*: | [ \t]*\#\#+[ \t*_]*(?i:{_PARTS})[ \t*_]*:)
"""
# Broader than what `parse_verdict` accepts. A fence is `data` plus 26 base32 characters.
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
    """For a separate chat turn: neutralises special tokens of chat templates, which would end the turn."""
    return _broken(text, _IN_A_TURN)


def as_part(text: str) -> str:
    """For use inside a text that shows turns as `User: ...`: also neutralises lines that imitate a turn."""
    return _broken(text, _IN_TEXT)


def as_evidence(text: str) -> str:
    """For the judge: also neutralises verdicts and fences."""
    return _broken(text, _IN_EVIDENCE)


def as_earlier_turns(text: str) -> str:
    """For the judge: turns joined from parts (see `as_part`), keeping their own headers."""
    return _broken(text, _IN_HISTORY)


def _broken(text: str, markers: re.Pattern[str]) -> str:
    found = [(one.end(), one.lastgroup) for one in markers.finditer(folded(text))]
    if not found:
        return text
    pieces, start = [], 0
    for index, (_, kind) in zip(original_indices(text, [end for end, _ in found]), found, strict=True):
        pieces += [text[start:index], "> " if kind == "header" else " "]
        start = index
    return "".join((*pieces, text[start:]))
