"""Names of the columns that an exchange may use."""

from __future__ import annotations

from staragents.config import RowFormat
from staragents.data.readers.answers import REASONINGS
from staragents.data.readers.choices import CHOICE_COLUMNS, CHOICE_LETTERS, CHOICES

QUESTIONS = ("question", "query", "problem")
INSTRUCTIONS = ("instruction", *QUESTIONS)
PROMPTS = ("prompt", "inputs", "input", "text_input", "input_text")
"""Used as the instruction only without one of the above."""
RESPONSES = ("output", "response", "answer", "completion", "solution", "target", "targets", "chosen")
INPUTS = ("input", "inputs", "text_input", "input_text", "context")
NO_INPUT = ("<noinput>", "<no input>")
"""What models were told to write into an `input` that stays empty."""
NOTHING = ("none", "null", "nan", "n/a")
"""What programs write into a cell of text that has no value."""
HISTORIES = (
    "history", "chat_history", "conversation_history", "dialogue_history", "dialog_history",
    "previous_messages", "previous_turns",
)  # fmt: skip
SYSTEMS = ("system", "system_prompt", "system_message", "system_instruction", "sys_prompt")
ARTICLES = (
    "article", "passage", "document", "paragraph", "story", "passages", "documents", "paragraphs", "contexts",
)  # fmt: skip
"""What a question is about, as text or a list of texts, in rows without one of INPUTS."""
FURTHER_RESPONSES = (
    "assistant",
    "gpt",
    "bot",
    "generation",
    "generated_solution",
    "preferred_output",
    "chosen_response",
    "response_chosen",
    "output_text",
    "answers",
)
"""Used only in a row without one of RESPONSES."""
REJECTED = ("rejected", "rejected_response", "rejected_messages", "response_rejected", "non_preferred_output")
SPEAKERS = ("user", "human")
ANSWERERS = ("assistant", "gpt", "bot")
"""Of instruction and response in rows with one of each."""
DEFINITION = "definition"
"""The instruction of a task whose `inputs` are an example."""
REASONED = {
    "thinking_trajectories": "attempt",
    "deepseek_thinking_trajectory": "deepseek_attempt",
    "gemini_thinking_trajectory": "gemini_attempt",
    "deepseek_reasoning": "deepseek_solution",
    "reasoning_content": "content",
}
"""Columns of a thought, each with that of the answer it led to, which is the response of a row with both."""
ANY = ((*INSTRUCTIONS, *PROMPTS), RESPONSES)
PAIRS = {
    RowFormat.alpaca: (("instruction",), ("output",)),
    RowFormat.dolly: (("instruction",), ("response",)),
    RowFormat.question_answer: (QUESTIONS, tuple(name for name in RESPONSES if name != "chosen")),
    RowFormat.prompt_completion: (PROMPTS, tuple(name for name in RESPONSES if name != "chosen")),
    RowFormat.preference: ((*INSTRUCTIONS, *PROMPTS), ("chosen",)),
    RowFormat.history: ANY,
}
"""Column names of instruction and response in each format that has both."""

THOUGHTS = frozenset((*REASONED, *REASONINGS))
"""All columns of thoughts."""
PAIR_NAMES = frozenset(
    (*INSTRUCTIONS, *PROMPTS, *RESPONSES, *INPUTS, *HISTORIES, *SYSTEMS, *ARTICLES, *CHOICES, DEFINITION)
).union(
    FURTHER_RESPONSES,
    SPEAKERS,
    *CHOICE_COLUMNS[len(CHOICE_LETTERS) :],
    REASONED,
    REASONED.values(),
    REASONINGS,
)
"""All columns that an exchange may use."""


def says_nothing(text: str) -> bool:
    """Whether a text stands for no value or for an empty list."""
    return text.strip().lower() in ("", "[]", *NOTHING)
