"""A question that was put with the next steps -> what the next message picks of its choices.

Only one of the choices, by word or number, is an answer: anything else is a turn of its own.
"""

from __future__ import annotations

from typing import NamedTuple

from agent.guiding import Question
from agent.language import Language
from agent.router import plain
from agent.state import Memory
from guardrails import Redacted


class Picked(NamedTuple):
    """`value` None: it is left."""

    question: str
    session: str
    value: str | None


def choices(question: Question, words: Language) -> list[str]:
    """As they are said, to leave it last."""
    return [*question.choices.values(), words.say("question_skip")]


def kept_question(question: Question, words: Language) -> dict[str, object]:
    """For the memory of the conversation, as JSON."""
    return {
        "question": question.id,
        "session": question.session,
        "values": [*question.choices, None],
        "said": [plain(each) for each in choices(question, words)],
    }


def picked(memory: Memory, text: Redacted) -> Picked | None:
    """A memory is untrusted: what does not read as a question is none."""
    match memory.get("asked"):
        case {"question": str(id), "session": str(session), "values": list(values),
              "said": list(said)} if len(values) == len(said):  # fmt: skip
            place = _place(plain(text), said)
        case _:
            return None
    value = values[place] if place is not None else None
    known = value is None or isinstance(value, str)
    return Picked(id, session, value) if place is not None and known else None


def _place(text: str, said: list[object]) -> int | None:
    if text in said:
        return said.index(text)
    number = int(text) if text.isdecimal() and len(text) == 1 else 0
    return number - 1 if 0 < number <= len(said) else None
