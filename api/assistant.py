"""What the HTTP surface needs of the composed product; `agent.copilot.Copilot` has this shape."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from agent import Ask, Conversation, Numbered


class Assistant(Protocol):
    """Answers, and keeps the conversation. Owns its runs: closing an iterator stops none."""

    def ask(self, request: Ask) -> AsyncIterator[Numbered]:
        """Raises BadAskError, ConversationsUnavailableError before the first event."""
        ...

    def resume(self, tenant: str, thread_id: str) -> AsyncIterator[Numbered]:
        """Run an unanswered question again; no events when there is none."""
        ...

    async def conversation(self, tenant: str, thread_id: str) -> Conversation | None:
        """None when the tenant has none of that id."""
        ...

    async def events(self, tenant: str, thread_id: str, after: int = 0) -> tuple[Numbered, ...]:
        """Logged events with larger numbers, in order."""
        ...
