"""What the HTTP surface needs of the composed product; `agent.copilot.Copilot` has this shape."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from agent import Ask, Conversation, Numbered
from agent.action_types import RunPaused
from agent.copilot import Pushed
from agent.showing import ShownMessage
from agent.types import StandingShown
from retrieval.types import Scope
from tools.types import Actor


class Assistant(Protocol):
    """Answers, and keeps the conversation. Owns its runs: closing an iterator stops none.

    A conversation belongs to who began it; to anybody else it does not exist.
    """

    def ask(self, request: Ask) -> AsyncIterator[Numbered]:
        """Raises BadAskError, UnknownThreadError, ConversationsUnavailableError before the first
        event."""
        ...

    def resume(
        self, tenant: str, thread_id: str, actor: Actor | None = None
    ) -> AsyncIterator[Numbered]:
        """Run an unanswered question again; no events when there is none."""
        ...

    async def conversation(
        self, tenant: str, thread_id: str, actor: Actor | None = None
    ) -> Conversation | None:
        """None when this person has none of that id."""
        ...

    async def shown(self, conversation: Conversation) -> tuple[ShownMessage, ...]:
        """Its messages as their owner reads them."""
        ...

    async def paused(self, conversation: Conversation, run_id: str) -> RunPaused | None:
        """What the thread waits for."""
        ...

    async def standing(self, actor: Actor | None, scope: Scope) -> StandingShown | None:
        """Where this person stands; None when they are not guided."""
        ...

    async def events(
        self, tenant: str, thread_id: str, after: int = 0, actor: Actor | None = None
    ) -> tuple[Numbered, ...]:
        """Logged events with larger numbers, in order."""
        ...

    def pushed(self) -> AsyncIterator[Pushed]:
        """Runs that nobody asked for, as they begin."""
        ...

    def follow(self, pushed: Pushed) -> AsyncIterator[Numbered]:
        """The events of one of these."""
        ...
