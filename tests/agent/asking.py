"""Questions to a Copilot over the shelf, and the parts that hold it up or let it down."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

from typing_extensions import override

from agent import (
    Answer,
    Ask,
    Numbered,
)
from agent.answerers.scripted import Pause, ScriptedAnswerer
from agent.types import (
    AnswererError,
    Block,
    Draft,
    MessageFinished,
)
from guardrails import Redacted, literal
from retrieval.types import Evidence, Scope
from tests.agent.shelf import SCOPE, TENANT, ShelfRetriever

QUESTION = "How many people can admins invite at once?"
FIFTY = Draft(literal("Admins can invite up to 50 people at once."), (1,))
SEVEN = Draft(literal("The link works for seven days."), (1,))
STEP = Draft(literal("Click Invite people."), (1,), Block.STEP)
SHOWN = "Admins can invite up to 50 people at once [1]."


def request(text: str = QUESTION, message_id: str = "m1", thread_id: str = "t1") -> Ask:
    return Ask(TENANT, thread_id, f"run-{message_id}", message_id, text, SCOPE)


def speaking(*lines: Draft | Pause | AnswererError) -> ScriptedAnswerer:
    return ScriptedAnswerer(lines or (FIFTY,))


async def drained(events: AsyncIterator[Numbered]) -> list[Numbered]:
    return [numbered async for numbered in events]


def answer_in(events: list[Numbered]) -> Answer:
    (finished,) = [e.event for e in events if isinstance(e.event, MessageFinished)]
    return finished.answer


def kinds(events: list[Numbered]) -> list[type]:
    return [type(numbered.event) for numbered in events]


class HeldRetriever(ShelfRetriever):
    """Finds nothing before it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.release = threading.Event()

    @override
    def retrieve(self, question: Redacted, scope: Scope) -> Evidence:
        self.reached.set()
        if not self.release.wait(10):
            raise TimeoutError
        return super().retrieve(question, scope)


class FailingRetriever(ShelfRetriever):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    @override
    def retrieve(self, question: Redacted, scope: Scope) -> Evidence:
        raise self._error


async def until(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 10)
