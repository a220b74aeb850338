"""Choices of the product, told apart from what the user typed though the planner sees no value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from agent.acting.types import Choice, Lookup
from tools.held import HeldValues


@dataclass(slots=True)
class KnownLookup:
    """A Lookup whose labels name the held value that they equal; each list is read once a turn."""

    lookup: Lookup
    held: HeldValues
    tenant: str
    subject: str
    thread_id: str
    _known: dict[str, str] | None = None  # value in the clear, lower case -> token
    _read: dict[tuple[str, str], tuple[Choice, ...]] = field(default_factory=dict)

    async def choices(self, tool: str, argument: str) -> tuple[Choice, ...]:
        """Raises KeyDestroyedError after an erasure."""
        key = (tool, argument)
        if key not in self._read:
            known = await self._values()
            self._read[key] = tuple(
                replace(choice, token=known.get(choice.label.casefold(), ""))
                for choice in await self.lookup.choices(tool, argument)
            )
        return self._read[key]

    async def _values(self) -> dict[str, str]:
        if self._known is None:
            tokens = {h.token: h.token for h in await self.held.known(self.tenant, self.thread_id)}
            plain = await self.held.restore(self.tenant, self.subject, self.thread_id, tokens)
            self._known = {str(value).casefold(): token for token, value in plain.items()}
        return self._known
