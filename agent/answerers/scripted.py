"""An answerer that says what its script says: for tests, demonstrations and measurements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from typing_extensions import override

from agent.types import Answerer, AnswererError, Draft, Spent, Utterance
from guardrails import Redacted
from retrieval.types import Passage


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence in the stream."""

    seconds: float


Line = Draft | Spent | Pause | AnswererError


class ScriptedAnswerer(Answerer):
    """Plays its lines in order for every question; an error among them is raised there."""

    def __init__(self, script: Sequence[Line], name: str = "scripted") -> None:
        self._script = tuple(script)
        self._name = name

    @property
    @override
    def name(self) -> str:
        return self._name

    @override
    async def draft(
        self, question: Redacted, passages: Sequence[Passage], history: Sequence[Utterance]
    ) -> AsyncGenerator[Draft | Spent, None]:
        """Without passages there is nothing to say, as with every answerer."""
        if not passages:
            return
        for line in self._script:
            match line:
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                case AnswererError():
                    raise line
                case _:
                    yield line
