"""A world in which it is known which training data help: the letter in a prompt decides the answer."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from staragents.base.messages import with_exchange
from staragents.base.records import stable_id
from staragents.evaluation.arm import Arm, TrainingRow
from staragents.evaluation.held_out import ANSWER, HeldOut
from tests.support.tiny_models import save_tokenizer

THINGS = {"a": "oak", "b": "tin", "c": "sea", "d": "fog", "e": "hut", "f": "jam", "g": "pig", "h": "web"}
GREEK = str.maketrans("abefghijkmnostuw", "αβεφγηιξκμνοστυω")


def save_student(folder: Path) -> str:
    """A random model with byte tokens, large enough to learn the world within seconds."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = LlamaConfig(**sizes, vocab_size=258, bos_token_id=0, eos_token_id=1, max_position_embeddings=256)
    LlamaForCausalLM(config).save_pretrained(folder)
    save_tokenizer(folder)
    return str(folder)


def texts(rows: int, first: int = 0) -> list[tuple[str, str]]:
    """Prompts and answers. The prompt's letter decides the answer."""
    letters = list(THINGS)
    return [
        (f"{n % 7}{letters[n % len(letters)]}", THINGS[letters[n % len(letters)]])
        for n in range(first, first + rows)
    ]


def arm(name: str, pairs: list[tuple[str, str]]) -> Arm:
    rows = [
        TrainingRow(stable_id("planted", str(number)), with_exchange((), *pair))
        for number, pair in enumerate(pairs)
    ]
    return Arm(name, tuple(rows))


def arms(rows: int = 64) -> dict[str, Arm]:
    """real; again, the same; shuffled, with the answers of other prompts; greek, in another script."""
    real = texts(rows)
    shuffled = [(asked, real[(n * 5 + 3) % rows][1]) for n, (asked, _) in enumerate(real)]
    greek = [(asked, said.translate(GREEK)) for asked, said in real]
    worlds = {"real": real, "again": real, "shuffled": shuffled, "greek": greek}
    return {name: arm(name, pairs) for name, pairs in worlds.items()}


def held_out(rows: int = 16) -> tuple[HeldOut, ...]:
    return tuple(
        HeldOut(stable_id("held", str(number)), with_exchange((), asked, said)[:1], {ANSWER: said})
        for number, (asked, said) in enumerate(texts(rows, first=1000))
    )
