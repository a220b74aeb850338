"""Everything that acts, over a running Harbor: the demo's own settings with a folder of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from agent.acting.scripted import ScriptedPlanner
from embark.acting import Hands, open_hands
from embark.layers import load_settings
from embark.records import now
from embark.settings import Settings
from guardrails.audit.memory import MemoryAudit
from tests.harbor.running import ROOT, Harbor
from tools.acting import Decision, Request
from tools.canonical import new_id
from tools.journal import Action, OutboxRow, State
from tools.types import Actor, ToolCall

CONFIG = ROOT / "examples" / "harbor" / "embark.toml"


@dataclass(slots=True)
class Floor:
    """One process that acts, and people who ask and approve."""

    hands: Hands
    harbor: Harbor
    told: list[OutboxRow]

    async def person(self, role: str = "owner") -> Actor:
        identify = self.hands.acts.identify
        assert identify is not None
        actor = await identify(self.harbor.session["tokens"][role])
        assert actor is not None
        return actor

    async def ask(
        self, tool: str, arguments: Mapping[str, JsonValue], role: str = "owner"
    ) -> Action:
        """The card."""
        found = self.hands.registry.tool(tool)
        assert found is not None, tool
        call = ToolCall(tool, found.manifest.version, arguments)
        return await self.hands.acting.desk.prepare(
            Request(call, await self.person(role), key=new_id())
        )

    async def approve(self, card: Action, role: str = "owner") -> Action:
        """By the one who asked, and by a second person where two are needed."""
        person = await self.person(role)
        action = await self.decide(card, person)
        if action.state is State.PENDING:
            action = await self.decide(action, await self.person("admin"))
        return action

    async def decide(self, card: Action, person: Actor) -> Action:
        decision = Decision(card.id, card.digest, "approve", person)
        return await self.hands.acting.desk.decide(card.who.tenant, decision)

    async def action(self, action: Action) -> Action:
        """As the journal has it now."""
        return await self.hands.journal.action(action.who.tenant, action.id)

    async def end(self, action: Action, within_s: float = 30.0) -> Action:
        """Performed, and waited for."""
        return await self.hands.acting.desk.perform(action.who.tenant, action.id, within_s)

    async def settled(self, action: Action, within_s: float = 30.0) -> Action:
        """As `end`, scheduled retries and read-backs included."""
        ends = asyncio.get_running_loop().time() + within_s
        while asyncio.get_running_loop().time() < ends:
            found = await self.end(action, 1.0)
            if found.ended and found.state is not State.UNKNOWN:
                return found
            await asyncio.sleep(0.1)
        return await self.action(action)

    async def do(
        self, tool: str, arguments: Mapping[str, JsonValue], role: str = "owner"
    ) -> Action:
        return await self.settled(await self.approve(await self.ask(tool, arguments, role), role))

    async def undo(self, action: Action, role: str = "owner") -> Action:
        return await self.settled(await self.approve(await self.undo_card(action, role), role))

    async def undo_card(self, action: Action, role: str = "owner") -> Action:
        return await self.hands.acting.desk.undo(
            action.who.tenant, action.id, await self.person(role)
        )


def floor_settings(url: str, folder: Path, **more: Any) -> Settings:
    """`more` are settings by dotted name, dots written as two underscores."""
    flags: dict[str, JsonValue] = {
        "data_dir": str(folder),
        "actions.private_hosts": [url.removeprefix("http://")],
        "actions.addresses": {"harbor": url},
        "identity.url": f"{url}/v1/me",
        **{name.replace("__", "."): value for name, value in more.items()},
    }
    return load_settings(CONFIG, flags).settings


@asynccontextmanager
async def open_floor(
    harbor: Harbor, folder: Path, *, working: bool = True, **more: Any
) -> AsyncIterator[Floor]:
    """With its worker, unless another process works; `more` as `floor_settings` has it."""
    settings = floor_settings(harbor.base_url, folder, **more)
    told: list[OutboxRow] = []

    async def tell(row: OutboxRow) -> None:
        told.append(row)

    async with AsyncExitStack() as closing:
        opening = open_hands(settings, ScriptedPlanner(), MemoryAudit(now))
        hands = await closing.enter_async_context(opening)
        if working:
            await closing.enter_async_context(hands.at_work(tell))
        yield Floor(hands, harbor, told)
