"""What the HTTP surface needs of the composed product; `agent.copilot.Copilot` has this shape."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from agent.conversations import Conversation
from api.runs import Numbered
from retrieval.types import Scope


@dataclass(frozen=True, slots=True)
class Ask:
    tenant: str
    thread_id: str
    run_id: str
    message_id: str
    text: str
    scope: Scope


class Assistant(Protocol):
    def ask(self, ask: Ask) -> AsyncIterator[Numbered]: ...

    def resume(self, tenant: str, thread_id: str) -> AsyncIterator[Numbered]: ...

    async def conversation(self, tenant: str, thread_id: str) -> Conversation | None: ...
