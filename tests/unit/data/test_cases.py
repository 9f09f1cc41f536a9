"""Files in shapes that people reported as failed or misread: each has its right meaning or one clear line.

The files are in tests/unit/data/cases and, with those of other shapes, in the shared data.
"""

# ruff: noqa: RUF001

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from staragents.base.errors import BadInput
from staragents.config import ColumnsConfig, SeedsConfig
from staragents.data.seed_file import SeedFile
from tests.support.paths import SHARED

OWN = Path(__file__).parent / "cases"

Turns = tuple[tuple[str, str], ...]
QUESTIONS = (
    "How do I keep basil alive on a balcony?",
    "Name three uses of a wooden spoon.",
    "Explain why bread dough rises.",
    "What is a tide table good for?",
    "Give a short plan for tidying a shed.",
    "Why do cats knead blankets?",
)
ANSWERS = (
    "Give it morning sun, water it when the top centimetre is dry, and pinch off flowers so that leaves "
    "keep growing.",
    "Stirring soup without scratching the pan, testing whether oil is hot, and propping a lid open "
    "while rice steams.",
    "Yeast eats sugar and gives off carbon dioxide; the gas is caught in the gluten net, so the dough "
    "swells.",
    "It tells when water is high or low at a harbour, so that boats know when they can pass a shallow bar.",
    "Take everything out, throw away what is broken, hang tools by use, and put what you need daily near the "
    "door.",
    "Kittens knead to get milk to flow; grown cats keep the habit when they feel safe and warm.",
)
PAIRS: tuple[Turns, ...] = tuple(
    (("user", asked), ("assistant", said)) for asked, said in zip(QUESTIONS, ANSWERS, strict=True)
)
SHORTER = (("user", "Shorter, please."), ("assistant", "As short as a wave."))
KEEPER = ("system", "You answer like a lighthouse keeper.")
LONGER = (("user", "Now say the same in four words a sentence."),)


@dataclass(frozen=True)
class Case:
    """`seeds` in order, the number of rows left out by kind, or what the only line of the error says."""

    seeds: tuple[Turns, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)
    error: str = ""
    columns: ColumnsConfig = field(default_factory=ColumnsConfig)


LABEL = "{}: expected a wanted answer"
CASES: dict[str, Case] = {
    "d06_xtuner.jsonl": Case(tuple((KEEPER, *pair, *SHORTER) for pair in PAIRS)),
    "d08_long.csv": Case(
        error="2:row: expected a whole conversation, got one message: set seeds.columns.conversation to the "
        "column that is the same for all messages of a conversation (12 rows like this)"
    ),
    "d08_long.csv grouped": Case(PAIRS, columns=ColumnsConfig(conversation="c_id")),
    "d09_json.csv": Case(PAIRS),
    "d09_json.jsonl": Case(PAIRS),
    "d09_repr.csv": Case(PAIRS),
    "d10_kto_trl.jsonl": Case(PAIRS[:3], {LABEL.format("label"): 3}),
    "d10_kto_factory.jsonl": Case(PAIRS[:3], {LABEL.format("kto_tag"): 3}),
    "d10_kto_swift.jsonl": Case(PAIRS[:3], {LABEL.format("label"): 3}),
    "d10_kto_swift.jsonl all": Case(
        (*PAIRS[:3], *((pair[0], ("assistant", "I won't tell you, go away.")) for pair in PAIRS[3:])),
        columns=ColumnsConfig(label=""),
    ),
    "d11_dpo_sharegpt.json": Case((*PAIRS[:3], (*PAIRS[3], *PAIRS[4]), (*PAIRS[3], *PAIRS[5]))),
    "d12_hh.jsonl": Case(PAIRS),
    "d12_implicit.jsonl": Case(PAIRS),
    "d25_mtbench.jsonl": Case(
        error="1:turns: expected turns that name their speaker, got 2 texts: set seeds.columns.messages to "
        "turns if they are of user and assistant in turn (6 rows like this)"
    ),
    "d25_mtbench.jsonl named": Case(
        tuple((pair[0], ("assistant", LONGER[0][1])) for pair in PAIRS),
        columns=ColumnsConfig(messages="turns"),
    ),
    "d01_saved": Case(PAIRS),
    "d02_saved_dict": Case(PAIRS[:4]),
    "d04_excel.csv": Case(PAIRS),
    "d04_min.csv": Case(((("user", "a?"), ("assistant", "b c d e f g.")),)),
    "d07_field_lines.json": Case(PAIRS),
    "d07_field_one_line.json": Case(PAIRS),
    "d07_pandas.json": Case(PAIRS),
    "d07_splits.json": Case(PAIRS[:4]),
    "d16_cp1252.csv": Case(
        tuple(
            (("user", f"{asked} – café style"), ("assistant", f"{said} It’s easy."))
            for asked, said in zip(QUESTIONS, ANSWERS, strict=True)
        ),
    ),
    "d16_gbk.json": Case(
        (
            (
                ("user", "阳台上的罗勒怎么养？"),
                ("assistant", "早上晒太阳，表土干了再浇水，开花就掐掉。"),
            ),
            (("user", "木勺有什么用？"), ("assistant", "可以搅汤，也可以试油温。")),
        ),
    ),
    "d24_images.parquet": Case(
        tuple((("user", f"<image>{asked}"), pair[1]) for asked, pair in zip(QUESTIONS, PAIRS, strict=True))
    ),
}
"""By the file's name, with a word after it if there is more than one case of a file."""


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("folder", [OWN, SHARED / "cases"], ids=["own", "shared"])
def test_a_reported_shape_has_its_meaning_or_one_line(folder: Path, name: str) -> None:
    case, path = CASES[name], folder / name.split()[0]
    if not path.exists():
        pytest.skip("this file is not in this folder")
    file = SeedFile(SeedsConfig(path=str(path), columns=case.columns))
    if case.error:
        with pytest.raises(BadInput) as caught:
            file.scan()
        first, last = caught.value.problems
        assert first == f"{path}:{case.error}"
        assert "expected at least one usable row" in last
        return
    scan = file.scan()
    assert tuple(tuple((turn.role, turn.content) for turn in seed.messages) for seed in file.seeds()) == (
        case.seeds
    )
    assert scan.reasons == case.left_out
    assert scan.bad_rows == sum(case.left_out.values())


@pytest.mark.skipif(not (SHARED / "cases").is_dir(), reason="the shared data is not beside this checkout")
def test_every_shared_case_is_in_the_table() -> None:
    assert {path.name for path in (SHARED / "cases").iterdir()} == {name.split()[0] for name in CASES}


DEV = {
    "alpaca_gpt4_en_1k.json": (985, 0, 14, {"alpaca": 985}),
    "alpaca_random_9k.json.gz": (9225, 4, 0, {"alpaca": 9225}),
    "belle_zh_dev1k.json": (1000, 0, 0, {"alpaca": 1000}),
    "belle_zh_seed_tasks.json": (175, 0, 0, {"self_instruct": 175}),
    "fastchat_dummy_conversation.json": (500, 0, 0, {"sharegpt": 500}),
    "glaive_toolcall_en_300.json": (175, 101, 24, {"sharegpt": 175}),
    "gpteacher_roleplay.json.gz": (3146, 0, 0, {"alpaca": 3146}),
    "h2o_evol_sample.json": (35, 0, 0, {"prompt_completion": 35}),
    "oasst_en_100_tree.jsonl": (100, 0, 0, {"tree": 100}),
    "oasst_zh_history.json": (684, 0, 5, {"history": 684}),
    "self_instruct_seed_tasks.jsonl": (175, 0, 0, {"self_instruct": 175}),
    "self_instruct_user_oriented_252.jsonl": (252, 0, 0, {"self_instruct": 252}),
    "vigogne_oasst_fr_top1.jsonl": (256, 0, 0, {"messages": 256}),
}
"""Seeds, bad rows, duplicates and formats of each file."""


@pytest.mark.skipif(not (SHARED / "dev").is_dir(), reason="the shared data is not beside this checkout")
@pytest.mark.parametrize("name", DEV)
def test_a_real_dataset_is_read_as_before(name: str) -> None:
    scan = SeedFile(SeedsConfig(path=str(SHARED / "dev" / name))).scan()
    assert (scan.seeds, scan.bad_rows, scan.duplicates, scan.formats) == DEV[name]
    assert (scan.with_reasoning, scan.with_images) == (0, 0)


@pytest.mark.skipif(not (SHARED / "dev").is_dir(), reason="the shared data is not beside this checkout")
def test_every_real_dataset_is_in_the_table() -> None:
    assert {path.name for path in (SHARED / "dev").iterdir()} == {*DEV}
