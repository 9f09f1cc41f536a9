"""Functions that take untrusted input, each with an input strategy and a check of its result.

A check accepts BadInput or what the function documents for bad input; anything else is a bug.
"""

from __future__ import annotations

import gzip
import io
import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from staragents.agents.agents import clean_instruction
from staragents.agents.judge import _WRITTEN_VERDICT, parse_verdict
from staragents.agents.language import SeedLanguages
from staragents.agents.prompt_templates import AGENT_SAMPLE, PromptTemplate
from staragents.agents.rejects import answer_problem, rewrite_problem
from staragents.base.errors import BadInput
from staragents.base.generation import Generation, TokenLogprobs
from staragents.base.messages import Message
from staragents.base.records import Seed
from staragents.config import ColumnsConfig, Config, JudgeConfig, RowFormat, SeedsConfig, Template, Verdicts
from staragents.data.readers.locations import data_files
from staragents.data.readers.raw_row import InvalidRow
from staragents.data.readers.row_messages import KNOWN_COLUMNS, RowReader
from staragents.data.readers.turns import ROLES, TOOL_ROLES
from staragents.data.seed_file import SeedFile
from staragents.scoring.templates import prompt_text
from staragents.text.printable import printable
from staragents.text.untrusted_text import as_evidence
from staragents.validation.loading import from_yaml, load_config, to_yaml

FOLDER = Path(tempfile.gettempdir())
TEXTS = st.text(max_size=40) | st.text(st.characters(), max_size=10)


def fragments(*parts: str, often: int = 3000) -> st.SearchStrategy[str]:
    """Texts of known parts, single characters, and often repeated parts."""
    part = st.sampled_from(parts) | st.characters()
    many = st.builds(lambda text, times: text * times, part, st.sampled_from([1, 1, 1, 30, often]))
    return st.lists(part | many, max_size=12).map("".join)


# Rows -----------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(sorted(KNOWN_COLUMNS)) | st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=10,
)
TURNS = st.lists(
    st.dictionaries(
        st.sampled_from(["role", "from", "content", "value", "text", "input", "output", "tool_calls"]),
        st.sampled_from([*ROLES, *TOOL_ROLES]) | TEXTS | JSON,
        max_size=4,
    )
    | TEXTS,
    max_size=5,
)
TREES = st.recursive(
    st.fixed_dictionaries({"role": st.sampled_from(["prompter", "assistant", "x"]), "text": TEXTS}),
    lambda inner: st.fixed_dictionaries(
        {
            "role": st.sampled_from(["prompter", "assistant"]),
            "text": TEXTS,
            "replies": st.lists(inner | JSON),
        },
        optional={"rank": JSON, "deleted": JSON, "review_result": JSON},
    ),
    max_leaves=6,
)
ROWS = JSON | st.dictionaries(
    st.sampled_from(sorted(KNOWN_COLUMNS)) | st.text(max_size=6), TEXTS | TURNS | TREES | JSON, max_size=6
)
COLUMNS = st.builds(
    ColumnsConfig,
    **{name: st.none() | st.sampled_from(sorted(KNOWN_COLUMNS)) for name in ColumnsConfig().__dict__},
)


def check_row(row: Any, named: ColumnsConfig, format_: RowFormat, rewritable: bool, blank: bool) -> None:
    reader = RowReader(named, 100, blank, format_, rewritable)
    try:
        _, messages = reader.read(row)
    except InvalidRow as problem:
        invalid = problem.problem
    else:
        invalid = None
    if invalid is not None:
        assert f"{invalid.field}: {invalid.message}".encode()
        assert "\n" not in invalid.message
        return
    turns = [one.role for one in messages if one.role != "system"]
    assert turns == ["user", "assistant"] * (len(turns) // 2)
    assert turns
    assert all(blank or one.content.strip() for one in messages)
    "".join(one.content for one in messages).encode()


# Files ----------------------------------------------------------------------------------------------------

_ROWS = [{"instruction": "Say é.", "input": "", "output": "é"}, {"question": "q", "answer": "a\nb"}]
_ONE_SHAPE = [{"question": f"q{n}", "answer": "a\nb"} for n in range(9)]


def _arrow(stream: bool) -> bytes:
    table, sink = pa.Table.from_pylist(_ONE_SHAPE), io.BytesIO()
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(_ONE_SHAPE), sink)
    return sink.getvalue()


_PLAIN = [
    b"".join(json.dumps(row).encode() + b"\n" for row in _ROWS),
    json.dumps(_ROWS, indent=1).encode(),
    b'question,answer\r\n"a ""b""",c\r\nd,"e\nf"\r\n',
    b"sep=;\n;question;answer;\n0;a;b;\n;;;\n1;c\n",
    json.dumps({"version": 1, "test": _ROWS[:1], "train": _ROWS}, indent=1).encode(),
    json.dumps({"question": {"0": "a", "1": "b"}, "answer": {"0": "c", "1": "d"}}).encode(),
    "\n".join(json.dumps(row, indent=2) for row in _ROWS).encode(),
    "question,answer\nD\u00e9j\u00e0 vu \u00e0 l'\u00e9cole ?,Tr\u00e8s bien\n".encode("cp1252"),
    json.dumps(_ROWS).encode("utf-16"),
    _parquet(),
    _arrow(True),
    _arrow(False),
]
VALID_FILES = [*_PLAIN, *map(gzip.compress, _PLAIN), *(pa.compress(f, "zstd", asbytes=True) for f in _PLAIN)]


def _changed(data: bytes, edits: list[tuple[float, bytes, int]]) -> bytes:
    for position, put, dropped in edits:
        at = int(position * len(data))
        data = data[:at] + put + data[at + dropped :]
    return data


EDITS = st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=6), st.integers(0, 9)), max_size=4)
FILES = st.builds(_changed, st.sampled_from(VALID_FILES) | st.binary(max_size=80), EDITS)
NAMES = st.sampled_from(
    ["f.jsonl", "f.json", "f.csv", "f.tsv", "f.parquet", "f.arrow", "f", "f.txt", "f.json.gz"]
)


def check_file(data: bytes, name: str, limit: int | None) -> None:
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        path = Path(folder, name)
        path.write_bytes(data)
        file = SeedFile(SeedsConfig(path=str(path), limit=limit, max_unpacked_gib=0.01))
        problems: list[str] = []
        try:
            scan = file.scan()
        except BadInput as error:
            problems = error.problems
        if problems:
            assert all(name in problem for problem in problems)
            return
        assert scan.seeds == len(list(file.seeds()))
        assert scan.bad_rows == len(list(file.bad_rows())) == sum(scan.reasons.values())


PATHS = fragments(
    "*", "**", "[", "]", "?", "~", ".", "\0", "://", "memory://", "file:", ":", "::", "zip://", "/x"
)


def check_path(path: str) -> None:
    if ".." in path or path.startswith(("/", "hf:", "http", "file")):
        return
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder, suppress(BadInput):
        data_files(f"{folder}/{path}" if "://" not in path else path, "seeds.path")


# Templates ------------------------------------------------------------------------------------------------

JINJA = fragments(
    *(
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "instruction",
        "history",
        " if ",
        " for ",
        " in ",
        "endif",
        "endfor",
    ),
    *(
        "block user",
        "block raw",
        "block user_1",
        "block assistant_1",
        "block system",
        "endblock",
        "set stop = [",
    ),
    *(
        "'x'",
        "]",
        "|",
        "upper",
        "join",
        "(",
        ")",
        ".",
        "__class__",
        "[0]",
        "+",
        "**",
        "*",
        "9",
        "range",
        "loop",
    ),
    *(
        "else",
        "macro m()",
        "endmacro",
        "import",
        "include",
        "extends",
        "-%}",
        "{%-",
        '"',
        "\n",
        "%",
        "self",
        "%s",
    ),
)


def check_prompt(source: str) -> None:
    with suppress(BadInput):
        template = PromptTemplate(source, "fuzz.j2", AGENT_SAMPLE)
        prompt = template.render(instruction="{{ 7 * 7 }} {% x %}", history="}}")
        assert prompt.turns or prompt.raw is not None


CONVERSATIONS = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant"]), TEXTS), max_size=5
).map(tuple)


def check_scored_prompt(messages: Any, template: Template) -> None:
    text = prompt_text(messages, template, None)
    assert all(message.content in text for message in messages if message.role != "system")


# Model outputs --------------------------------------------------------------------------------------------

VERDICTS = fragments(
    *(
        '{"reason": "',
        '", "verdict": "',
        "verdict",
        "'",
        '"',
        "*",
        ":",
        "=",
        " A",
        "B",
        "tie",
        "C",
        "[[",
        "]]",
        "}",
    ),
    *("\\", "\\u00", "**", " ", "\n", "{", "[", "Verdict: ", "[[tie]]", "<|im_end|>", "</data>"),
)
LOGPROBS = st.lists(
    st.builds(
        TokenLogprobs,
        VERDICTS,
        st.dictionaries(
            st.sampled_from(["A", "B", "tie", "t", " A", '"B"', ""]) | TEXTS, st.floats(), max_size=4
        ),
    ),
    max_size=4,
).map(tuple)


def check_verdict(text: str, logprobs: Any, verdict: Verdicts) -> None:
    generation = Generation(text, "stop", 1, 1, 0.0, logprobs)
    found = parse_verdict(generation, JudgeConfig(verdict=verdict))
    assert found is None or (found.label in ("A", "B", "tie") and 0 <= found.a_wins <= 1)
    assert _WRITTEN_VERDICT.search(as_evidence(text)) is None


ANSWERS = fragments(
    *(
        "I'm sorry",
        "I cannot",
        "As an AI language model",
        ", ",
        ". ",
        "\n",
        "\n\n",
        "- ",
        "* ",
        ":",
        ":\n",
        "<|",
    ),
    *(
        "|>",
        "assistant:",
        "User:",
        "the instruction",
        "rewritten instruction",
        "to ",
        ", you can",
        "?",
        " the ",
        "1.",
    ),
    *(
        "Here are some ",
        "</s>",
        "中",
        "word ",
        "```",
        '"',
        "Rewrite this: ",
        "unfortunately",
        "I am ",
        "_",
        " ",
    ),
)


def check_answer(seed: str, text: str, cut: bool) -> None:
    generation = Generation(text, "length" if cut else "stop", 1, 1, 0.0)
    languages = SeedLanguages(Seed("s", 0, (Message("user", seed), Message("assistant", text))))
    for problem in (
        rewrite_problem(seed, text, generation, languages),
        answer_problem(seed, text, generation, seed, languages),
        answer_problem(text, seed, generation, text, languages),
    ):
        assert problem is None or problem.isidentifier()
    clean_instruction(text)
    assert "\x1b" not in printable(text)


# Configs --------------------------------------------------------------------------------------------------

_KEYS = (
    "seeds",
    "path",
    "limit",
    "columns",
    "models",
    "writer",
    "kind",
    "agents",
    "instruction",
    "evolution",
)
YAML = fragments(
    *(f"{key}:" for key in _KEYS),
    *(f"{key}: " for key in _KEYS),
    *(
        "\n",
        "\n  ",
        "\n    ",
        "- ",
        "&a ",
        "*a",
        "<<: ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "null",
        "true",
        "1e3",
        ".nan",
    ),
    *(
        "${",
        "${seeds.path}",
        "${oc.env:HOME}",
        "???",
        "extends: x.yaml",
        "'",
        '"',
        "|",
        ">",
        "#",
        "!!python/name:os",
    ),
    *("fake", "auto", "0x1F", "\t", "%YAML 1.1", "---", "...", "?", "@", "`"),
    often=300,
)
OVERRIDES = st.lists(
    fragments("seeds.", "path", "=", ".", "models.a.", "kind", "fake", "${", "}", "[", "{", ":", "*a", "'"),
    max_size=3,
)


def check_config(text: str, overrides: list[str]) -> None:
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        path = Path(folder, "config.yaml")
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        with suppress(BadInput):
            # Hashing its embedder, a packaged file, would take most of the time and is not tested here.
            config = load_config(path, ["memory.enabled=false", *overrides])
            assert isinstance(config, Config)
            assert from_yaml(to_yaml(config)) == config


TARGETS: dict[str, tuple[Callable[..., None], tuple[st.SearchStrategy[Any], ...]]] = {
    "rows": (
        check_row,
        (ROWS, COLUMNS | st.none(), st.sampled_from(RowFormat), st.booleans(), st.booleans()),
    ),
    "files": (check_file, (FILES, NAMES, st.none() | st.integers(1, 3))),
    "paths": (check_path, (PATHS,)),
    "prompts": (check_prompt, (JINJA,)),
    "scored prompts": (
        check_scored_prompt,
        (CONVERSATIONS, st.sampled_from([Template.plain, Template.alpaca])),
    ),
    "verdicts": (check_verdict, (VERDICTS, LOGPROBS, st.sampled_from(Verdicts))),
    "answers": (check_answer, (ANSWERS, ANSWERS, st.booleans())),
    "configs": (check_config, (YAML, OVERRIDES)),
}
