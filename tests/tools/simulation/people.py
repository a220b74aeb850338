"""People who ask, approve, deny, race, cheat, cancel and undo, through the desk of any process that
lives, as often as it takes to get an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import NamedTuple, TypeVar

from tests.tools.simulation.flow import FLOW
from tests.tools.simulation.host import RIGHT
from tests.tools.simulation.loop import SimLoop
from tests.tools.simulation.process import Process
from tools.acting import BadCallError, Decision, Request
from tools.journal import Action, ApprovalError, JournalError, State
from tools.tool import ToolError
from tools.types import Actor, Arguments, Principal, ToolCall

T = TypeVar("T")
TENANTS = ("acme", "umbrella")
PATIENCE_S = 12.0
TRIES = 12
CALLS = (("set", 4), ("put", 3), ("make", 3), ("mail", 2), ("secure", 1), ("read", 1), (FLOW, 2))
WAYS = (
    ("approve", 9),
    ("race", 3),
    ("deny", 1),
    ("cancel", 2),
    ("ignore", 1),
    ("forge", 1),
    ("alone", 1),
    ("edit", 1),
)
"""What people do with a card, and how often of all."""


class Ack(NamedTuple):
    """What the system said to somebody: it must be true ever after."""

    what: str
    action: Action


def actor(tenant: str, subject: str, now: datetime) -> Actor:
    who = Principal(tenant, subject, f"{tenant}-1")
    return Actor(who, frozenset({RIGHT}), auth_time=now)


def pick(rng: Random, table: tuple[tuple[str, int], ...]) -> str:
    return rng.choices([name for name, _ in table], [weight for _, weight in table])[0]


@dataclass
class Street:
    """Where people meet processes."""

    loop: SimLoop
    rng: Random
    processes: list[Process]
    versions: dict[str, str]
    now: Callable[[], datetime]
    acks: list[Ack] = field(default_factory=list)
    crimes: list[str] = field(default_factory=list)

    async def ask(self, what: Callable[[Process], Awaitable[T]]) -> T | None:
        """The answer of some process, or None when it says no or nobody ever answers."""
        for _ in range(TRIES):
            process = self.rng.choice(self.processes)
            if not process.alive:
                await asyncio.sleep(0.5)
                continue
            task = self.loop.spawn(process.name, _asked(what, process))
            await asyncio.wait({task}, timeout=PATIENCE_S)
            if not task.done():
                continue
            try:
                return task.result()
            except (ApprovalError, BadCallError):
                return None
            except (JournalError, ToolError):
                await asyncio.sleep(self.rng.uniform(0.1, 1.0))
        return None

    async def act(self, number: int) -> None:
        """One wish of one person, from its beginning to its end."""
        rng = self.rng
        await asyncio.sleep(rng.uniform(0.0, 8.0))
        tenant = TENANTS[rng.random() < 0.25]
        me = rng.choice(["ada", "bob"])
        tool = pick(rng, CALLS)
        arguments: Arguments = {"name": rng.choice("xy"), "value": f"v{number}"}
        call = ToolCall(tool, self.versions[tool], arguments)

        async def ask(process: Process) -> Action:
            asking = Request(call, actor(tenant, me, self.now()), f"key{number}")
            return self._told("prepared", await process.desk.prepare(asking))

        action = await self.ask(ask)
        if action is None:
            return
        await asyncio.sleep(rng.choice([0.0, 0.0, 1.0, 10.0]))
        if action.state is State.PENDING:
            action = await self._decided(action, pick(rng, WAYS))
        if action is None:
            return
        if rng.random() < 0.5:
            self._wake()
        if rng.random() < 0.3:
            await self._performed(action)
        if rng.random() < 0.3:
            await self._undone(action)

    def _told(self, what: str, action: Action) -> Action:
        self.acks.append(Ack(what, action))
        return action

    def _wake(self) -> None:
        for process in self.processes:
            if process.alive:
                process.wake()

    async def _decided(self, action: Action, way: str) -> Action | None:
        ways: Mapping[str, Callable[[Action], Awaitable[Action | None]]] = {
            "approve": self._approved,
            "race": self._raced,
            "deny": lambda card: self._word(card, card.who.subject, "deny"),
            "cancel": self._cancelled,
            "ignore": _ignored,
            "forge": self._forged,
            "alone": self._alone,
            "edit": self._edited,
        }
        return await ways[way](action)

    async def _alone(self, action: Action) -> Action | None:
        """Twice the same person."""
        first = await self._word(action, action.who.subject, "approve")
        return await self._word(action, action.who.subject, "approve") or first

    async def _word(
        self, action: Action, subject: str, verdict: str, digest: str = ""
    ) -> Action | None:
        async def decide(process: Process) -> Action:
            person = actor(action.who.tenant, subject, self.now())
            word = Decision(
                action.id,
                digest or action.digest,
                "approve" if verdict == "approve" else "deny",
                person,
            )
            return self._told(verdict, await process.desk.decide(action.who.tenant, word))

        return await self.ask(decide)

    async def _approved(self, action: Action) -> Action | None:
        first = await self._word(action, action.who.subject, "approve")
        if first is not None and first.state is State.PENDING:
            await asyncio.sleep(self.rng.choice([0.0, 2.0]))
            return await self._word(action, _other(action), "approve")
        return first

    async def _raced(self, action: Action) -> Action | None:
        """Two people, both right, both at once, one of them twice; or one who changes their mind.

        A street of its own actors: they go on in any order.
        """
        subjects = [action.who.subject, _other(action), action.who.subject]
        verdicts = ["approve", "approve", self.rng.choice(["approve", "deny"])]
        words = [
            self.loop.spawn(f"racer{place}-{action.id}", self._word(action, subject, verdict))
            for place, (subject, verdict) in enumerate(zip(subjects, verdicts, strict=True))
        ]
        await asyncio.wait(words)
        return action

    async def _cancelled(self, action: Action) -> Action | None:
        await self._approved(action)
        await asyncio.sleep(self.rng.choice([0.0, 0.5, 3.0]))

        async def cancel(process: Process) -> Action:
            person = actor(action.who.tenant, action.who.subject, self.now())
            return self._told(
                "cancel", await process.desk.cancel(action.who.tenant, action.id, person)
            )

        return await self.ask(cancel) or action

    async def _forged(self, action: Action) -> Action | None:
        """Another digest, another tenant: neither may count."""
        if await self._word(action, action.who.subject, "approve", digest="A" * 43) is not None:
            self.crimes.append(f"I2 a forged digest approved {action.idem_key}")

        async def stranger(process: Process) -> Action:
            other = TENANTS[action.who.tenant == TENANTS[0]]
            person = actor(other, action.who.subject, self.now())
            word = Decision(action.id, action.digest, "approve", person)
            return await process.desk.decide(other, word)

        if await self.ask(stranger) is not None:
            self.crimes.append(f"I9 another tenant approved {action.idem_key}")
        return action

    async def _edited(self, action: Action) -> Action | None:
        async def edit(process: Process) -> Action:
            person = actor(action.who.tenant, action.who.subject, self.now())
            changed = {**action.call.arguments, "value": "edited"}
            return self._told(
                "edit", await process.desk.edit(action.who.tenant, action.id, changed, person)
            )

        edited = await self.ask(edit)
        return None if edited is None else await self._approved(edited)

    async def _performed(self, action: Action) -> None:
        async def perform(process: Process) -> Action:
            return await process.desk.perform(action.who.tenant, action.id, 5.0)

        done = await self.ask(perform)
        if done is not None and done.ended:
            self._told("performed", done)

    async def _undone(self, action: Action) -> None:
        """Of a flow also one of its steps, at the same time, by somebody who knows only that."""
        await asyncio.sleep(self.rng.choice([1.0, 6.0, 15.0]))
        undone = [action]
        if action.call.tool == FLOW and self.rng.random() < 0.5:
            tenant = action.who.tenant
            steps = await self.ask(
                lambda process: process.journal.actions(tenant, parent=action.id)
            )
            undone += [self.rng.choice(steps)] if steps else []
        undoing = [self.loop.spawn(f"undoer-{each.id}", self._undo(each)) for each in undone]
        await asyncio.wait(undoing)

    async def _undo(self, action: Action) -> None:
        async def undo(process: Process) -> Action:
            person = actor(action.who.tenant, action.who.subject, self.now())
            return self._told("undo", await process.desk.undo(action.who.tenant, action.id, person))

        card = await self.ask(undo)
        if card is not None and card.state is State.PENDING:
            await self._decided(card, self.rng.choice(["approve", "race", "cancel"]))
            self._wake()


async def _asked(what: Callable[[Process], Awaitable[T]], process: Process) -> T:
    return await what(process)


async def _ignored(_card: Action) -> Action | None:
    return None


def _other(action: Action) -> str:
    return "bob" if action.who.subject == "ada" else "ada"
