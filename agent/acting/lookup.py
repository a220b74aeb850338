"""Choices of the product, told apart from what the user typed though the planner sees no value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from agent.acting.types import Choice, Lookup
from agent.acting.values.choices import words_of_label
from guardrails.names.types import NAME_TYPES
from tools.held import Held, HeldValues


class _Known(NamedTuple):
    """A held value in the clear, in lower case."""

    held: Held
    value: str


@dataclass(slots=True)
class KnownLookup:
    """A Lookup whose labels name the held values that they equal, and the names that are a part of
    them; each list is read once a turn."""

    lookup: Lookup
    held: HeldValues
    tenant: str
    subject: str
    thread_id: str
    _known: list[_Known] | None = None
    _read: dict[tuple[str, str], tuple[Choice, ...]] = field(default_factory=dict)

    async def choices(self, tool: str, argument: str) -> tuple[Choice, ...]:
        """Raises KeyDestroyedError after an erasure."""
        key = (tool, argument)
        if key not in self._read:
            known = await self._values()
            self._read[key] = tuple(
                replace(choice, tokens=_tokens(choice.label, known))
                for choice in await self.lookup.choices(tool, argument)
            )
        return self._read[key]

    async def _values(self) -> list[_Known]:
        if self._known is None:
            held = await self.held.known(self.tenant, self.thread_id)
            tokens = {each.token: each.token for each in held}
            plain = await self.held.restore(self.tenant, self.subject, self.thread_id, tokens)
            self._known = [_Known(h, str(plain[h.token]).casefold()) for h in held]
        return self._known


def _tokens(label: str, known: Sequence[_Known]) -> tuple[str, ...]:
    whole, words = label.casefold(), set(words_of_label(label))
    return tuple(
        each.held.token
        for each in known
        if each.value == whole
        or (each.held.type in NAME_TYPES and words.issuperset(words_of_label(each.value) or "?"))
    )
