"""What the product says of a person now: readings with their own rights, and the states of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from pydantic import JsonValue

from onboarding.engine.states import KnownStates
from onboarding.types import Person
from tools.types import Actor

READ_S: Final = 2.0
"""How long the product may take to tell one state."""
Read = Callable[[Actor, str], Awaitable[JsonValue]]
"""What a reading tool finds with a person's own rights; None when it cannot be read now."""
_log = structlog.get_logger(__name__)


async def reads_nothing(_actor: Actor, _tool: str) -> JsonValue:
    """Where no product can be asked."""
    return None


def person_of(actor: Actor) -> Person:
    return Person(actor.tenant, actor.subject, actor.principal.account or None)


@dataclass(frozen=True, slots=True)
class ProductReading:
    """Readings of a product, each for at most READ_S."""

    read: Read
    states: KnownStates
    clock: Callable[[], datetime]

    async def refresh(self, actor: Actor) -> None:
        """States that are not fresh any more are read, all at once."""
        person, now = person_of(actor), self.clock()
        wanted = self.states.stale(person, now)
        if wanted:
            self.states.take(person, await self.all(actor, wanted), now)

    async def all(self, actor: Actor, tools: Iterable[str]) -> dict[str, JsonValue]:
        """What each finds, by its name."""
        names = list(tools)
        found = await asyncio.gather(*(self._one(actor, tool) for tool in names))
        return dict(zip(names, found, strict=True))

    async def _one(self, actor: Actor, tool: str) -> JsonValue:
        try:
            async with asyncio.timeout(READ_S):
                return await self.read(actor, tool)
        except TimeoutError:
            _log.info("guidance.product_slow", tool=tool)
            return None
