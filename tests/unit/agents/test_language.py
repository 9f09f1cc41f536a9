"""Languages are detected where certain; a text in another language than its seed's is rejected."""
# ruff: noqa: RUF001 - other alphabets have letters that look like Latin ones

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.failure import Failure
from cluster.cli.explain import explain
from staragents.agents.language import SeedLanguages, language_of
from staragents.base.generation import Generation, GenerationRequest
from staragents.base.messages import Message
from staragents.base.records import Seed
from staragents.config import SeedsConfig
from staragents.data.seed_file import SeedFile
from staragents.validation.loading import load_config
from tests.support.growth import assert_linear
from tests.support.local_run import LocalHandle, decided, local_handles, local_run
from tests.support.paths import ROOT, SHARED

DEV = SHARED / "dev"

PROSE = {
    "ar": "يغلق البستاني باب البيت الزجاجي كل مساء قبل أن يبرد الهواء في الخارج.",
    "de": "Der Gärtner schließt jeden Abend die Tür des Gewächshauses, bevor es draußen kalt wird.",
    "el": "Ο κηπουρός κλείνει κάθε βράδυ την πόρτα του θερμοκηπίου πριν κρυώσει ο αέρας.",
    "en": "The gardener closes the door of the greenhouse every evening before it gets cold outside.",
    "es": "El jardinero cierra cada tarde la puerta del invernadero antes de que haga frío fuera.",
    "fi": "Puutarhuri sulkee kasvihuoneen oven joka ilta ennen kuin ulkona tulee kylmä.",
    "fr": "Le jardinier ferme chaque soir la porte de la serre avant qu'il ne fasse froid dehors.",
    "hi": "माली हर शाम बाहर ठंड होने से पहले पौधघर का दरवाज़ा बंद कर देता है।",
    "it": "Il giardiniere chiude ogni sera la porta della serra prima che fuori faccia freddo.",
    "ja": "庭師は毎晩、外が寒くなる前に温室の扉を閉めてから家に帰ります。",
    "ko": "정원사는 매일 저녁 바깥이 추워지기 전에 온실 문을 닫고 집으로 돌아갑니다.",
    "nl": "De tuinman sluit elke avond de deur van de kas voordat het buiten koud wordt.",
    "pl": "Ogrodnik zamyka co wieczór drzwi szklarni, zanim na zewnątrz zrobi się zimno.",
    "ru": "Садовник каждый вечер закрывает дверь теплицы, пока на улице не стало холодно.",
    "tr": "Bahçıvan her akşam dışarısı soğumadan önce seranın kapısını kapatıp evine gider.",
    "vi": "Người làm vườn đóng cửa nhà kính mỗi buổi tối trước khi bên ngoài trở lạnh.",
    "zh": "园丁每天晚上都会在外面变冷之前关上温室的门，然后才回家吃饭。",
}
CODE = [
    "def f(xs):\n    return [y for y in xs if y > 0]\n\nprint(f([1, 2, -3]))\n",
    "import numpy as np\nimport pandas as pd\n\nframe = pd.read_csv('rows.csv')\nprint(frame.mean())\n",
    "SELECT name, age FROM users WHERE age > 30 AND name LIKE 'A%' ORDER BY name;",
    '#include <stdio.h>\nint main(void) {\n  for (int i = 0; i < 3; i++) puts("x");\n  return 0;\n}\n',
    "<html><body><h1>Greenhouse</h1><p class='note'>Open daily</p></body></html>",
    "const rows = await fetch(url).then((r) => r.json());\nconsole.log(rows.length);\n",
    f"```python\n# {PROSE['en']}\n# {PROSE['en']}\nx = 1\n```",
    f"```\n{PROSE['en']}",
    "$\\int_0^1 x^2 \\, dx = \\left[ \\frac{x^3}{3} \\right]_0^1 = \\frac{1}{3}$",
    "| a | b |\n|---|---|\n| 1 | 2 |\n",
    "https://example.org/some/long/path/to/a/page/about/greenhouses/and/gardens",
]
SHORT = ["", "Oui.", "Yes, of course.", "Bleu, blanc, rouge.", "42", "巴黎", "Non, merci beaucoup !"]


def seed(instruction: str, response: str, *before: Message) -> Seed:
    return Seed("s", 0, (*before, Message("user", instruction), Message("assistant", response)))


@pytest.mark.parametrize("code", list(PROSE))
def test_a_sentence_is_enough_to_know_its_language(code: str) -> None:
    assert language_of(PROSE[code]) == code


@pytest.mark.parametrize("text", CODE + SHORT)
def test_code_and_short_texts_have_no_certain_language(text: str) -> None:
    assert language_of(text) is None


@pytest.mark.parametrize("code", CODE)
@pytest.mark.parametrize("language", ["fr", "zh"])
def test_code_within_prose_changes_nothing(code: str, language: str) -> None:
    around = f"{PROSE[language]} {PROSE[language]}"
    assert language_of(f"{around}\n\n{code}") in (language, None)
    of_seed = SeedLanguages(seed(PROSE[language], PROSE[language]))
    assert not of_seed.strays_in_answer(f"{around}\n\n{code}")
    assert not of_seed.strays_in_answer(code)


@pytest.mark.parametrize("code", list(PROSE))
@pytest.mark.parametrize("other", ["en", "fr", "zh"])
def test_another_language_is_found_and_the_seeds_own_is_not(code: str, other: str) -> None:
    languages = SeedLanguages(seed(PROSE[code], PROSE[code]))
    assert languages.strays_in_rewrite(PROSE[other]) is (other != code)
    assert languages.strays_in_answer(PROSE[other]) is (other != code)


def test_a_task_with_a_text_in_another_language_may_be_rewritten_in_either() -> None:
    translate = seed(f"Traduis le texte suivant en français, mot à mot : {PROSE['en']}", PROSE["fr"])
    languages = SeedLanguages(translate)
    for rewritten in (PROSE["fr"], PROSE["en"]):
        assert not languages.strays_in_rewrite(rewritten)
    assert languages.strays_in_rewrite(PROSE["de"])


def test_an_answer_is_free_where_the_seeds_is_in_another_language_than_its_instruction() -> None:
    languages = SeedLanguages(seed(f"Write this in French. {PROSE['en']}", PROSE["fr"]))
    assert not any(languages.strays_in_answer(text) for text in PROSE.values())
    assert languages.strays_in_rewrite(PROSE["fr"])


def test_a_short_last_turn_is_in_the_language_of_those_before_it() -> None:
    before = (Message("user", PROSE["fr"]), Message("assistant", PROSE["fr"]))
    languages = SeedLanguages(seed("Et en hiver ?", PROSE["fr"], *before))
    assert languages.strays_in_rewrite(PROSE["en"])
    assert languages.strays_in_answer(PROSE["en"])
    alone = SeedLanguages(seed("Et en hiver ?", PROSE["fr"]))
    assert not alone.strays_in_rewrite(PROSE["en"])
    assert not alone.strays_in_answer(PROSE["en"])


TEXTS = st.text(max_size=400) | st.lists(st.sampled_from([*PROSE.values(), *CODE, *SHORT]), max_size=4).map(
    "\n".join
)


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_no_seed_differs_from_its_own_language(instruction: str, response: str) -> None:
    languages = SeedLanguages(seed(instruction, response))
    assert not languages.strays_in_rewrite(instruction)
    assert not languages.strays_in_answer(response)


@pytest.mark.parametrize("unit", ["`", "```", "<", "a", "a=", "中", "\n", "[(", " `", "\ud800", "http://"])
def test_a_long_text_takes_linear_time(unit: str) -> None:
    assert_linear(lambda size: language_of(unit * size), 12_500)


@pytest.mark.parametrize(
    ("name", "language", "known", "others"),
    [
        ("vigogne_oasst_fr_top1.jsonl", "fr", 0.75, 4),
        ("belle_zh_dev1k.json", "zh", 0.75, 0),
        ("oasst_zh_history.json", "zh", 0.75, 9),
        ("alpaca_gpt4_en_1k.json", "en", 0.75, 2),
        ("oasst_en_100_tree.jsonl", "en", 0.8, 0),
    ],
)
def test_real_rows_are_recognised(name: str, language: str, known: float, others: int) -> None:
    """`others`: texts that really are in another language, checked by hand."""
    if not DEV.is_dir():
        pytest.skip("no ../shared/data")
    found = [
        language_of(text)
        for row in SeedFile(SeedsConfig(path=str(DEV / name))).seeds()
        for text in (row.instruction, row.response)
    ]
    assert found.count(language) >= known * len(found)
    assert sum(one not in (None, language) for one in found) <= others


class Translator:
    """A pool whose engine answers in another language, as a small model does with an English prompt."""

    def __init__(self, pool: LocalHandle, stage: str) -> None:
        self._pool, self._stage = pool, stage

    async def remote(self, request: GenerationRequest) -> Generation | Failure:
        answer = await self._pool.remote(request)
        if f"-{self._stage}" in request.request_id and isinstance(answer, Generation):
            return replace(answer, text="Explain why it must stay open on the hottest days of the summer.")
        return answer


@pytest.fixture
def french_run(tmp_path: Path) -> Callable[..., Any]:
    (tmp_path / "seeds.jsonl").write_text(
        "".join(
            json.dumps({"instruction": f"{PROSE['fr']} Pourquoi ?{' Dis-le.' * n}", "output": PROSE["fr"]})
            + "\n"
            for n in range(3)
        )
    )

    async def run(stage: str, *overrides: str) -> dict[str, Any]:
        paths = [f"seeds.path={tmp_path / 'seeds.jsonl'}", f"output.dir={tmp_path / 'run'}"]
        config = load_config(ROOT / "configs/fake.yaml", [*paths, *overrides])
        pools = {name: Translator(pool, stage) for name, pool in (await local_handles(config)).items()}
        return await local_run(config, handles=pools)

    return run


@pytest.mark.parametrize(
    ("stage", "name"), [("rewrite", "rewrite_other_language"), ("answer", "other_language")]
)
async def test_another_language_is_rejected_and_shown_everywhere(
    french_run: Callable[..., Any], tmp_path: Path, stage: str, name: str
) -> None:
    summary = await french_run(stage)
    rewritten = 2 * 3  # draws in addition to the base pair, which keeps the instruction
    assert summary["funnel"]["rejected"][name] == (rewritten if stage == "rewrite" else rewritten + 3)
    run = tmp_path / "run"
    rows = [row for row in decided(run) if row["reject_reason"] == name]
    assert all(row["rejected_text"].startswith("Explain why") for row in rows)
    assert name in pq.read_table(run / "quarantine.parquet")["message"].to_pylist()
    assert name in (run / "report.html").read_text()
    said = " ".join(CliRunner().invoke(explain, [str(run), rows[0]["seed_id"]]).output.split())
    assert "rejected: it is in another language than the seed" in said.replace("│ ", "")


async def test_it_can_be_turned_off(french_run: Callable[..., Any]) -> None:
    summary = await french_run("answer", "agents.keep_language=false")
    assert "other_language" not in summary["funnel"]["rejected"]
