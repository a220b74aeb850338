"""A whole acting floor in one process: shop, tools, journal in memory, executor, desk, worker."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from pydantic import JsonValue

from tests.tools.twins import RIGHT, Shelf, Shop, ShopTool, manifest
from tools.acting import Decision, Request
from tools.breaker import BreakerPolicy
from tools.canonical import b64url, canonical
from tools.desk import ActionDesk, DeskParts
from tools.executor import Executor, ExecutorParts
from tools.journal import Action, Claim, Journal, State
from tools.journal_memory import MemoryJournal
from tools.retrying import Backoff, Patience
from tools.types import Actor, Arguments, EffectClass, Manifest, Principal, Progress, Tier, ToolCall

START = datetime(2026, 5, 4, 12, tzinfo=UTC)
POLICY_VERSION = "p1"
SWIFT = Patience(
    quick=Backoff(0.001, 0.002), scheduled=Backoff(0.01, 0.02), quiet_s=0.001, held_s=0.05
)


class HashSealer:
    """Seals with a plain hash; what a signature proves is the receipts' own test."""

    def seal(self, payload: Mapping[str, JsonValue]) -> str:
        plain = canonical(payload)
        return f"{b64url(plain)}.{hashlib.sha256(plain).hexdigest()}"


@dataclass
class Clock:
    at: datetime = START

    def __call__(self) -> datetime:
        return self.at

    def pass_s(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def person(
    subject: str = "ana", account: str = "acme", login: datetime | None = START, **more: object
) -> Actor:
    actor = Actor(Principal("t", subject, account), frozenset({RIGHT}), auth_time=login)
    return replace(actor, **more)  # type: ignore[arg-type]


ANA, BO = person(), person("bo")


@dataclass
class Floor:
    """`told` is the first tool; more are put on the shelf."""

    told: Manifest = field(default_factory=manifest)
    faults: Iterable[str] = ()
    patience: Patience = SWIFT
    policy_version: str = POLICY_VERSION
    journal: Journal | None = None
    breaker: BreakerPolicy = field(default_factory=lambda: BreakerPolicy(failures=50))

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.shop = Shop()
        self.tool = ShopTool(self.shop, self.told, self.faults)
        self.shelf = Shelf(self.tool)
        self.books: Journal = self.journal or MemoryJournal(HashSealer(), self.clock)
        self.progress: list[Progress] = []
        self.executor = self.another_executor()
        self.desk = self.another_desk()

    def another_executor(self, policy_version: str | None = None) -> Executor:
        return Executor(
            ExecutorParts(
                journal=self.books,
                catalogue=self.shelf,
                policy_version=policy_version or self.policy_version,
                now=self.clock,
                rng=Random(1),
                patience=self.patience,
                breaker=self.breaker,
                report=self.progress.append,
            )
        )

    def another_desk(self, policy_version: str | None = None, **parts: object) -> ActionDesk:
        version = policy_version or self.policy_version
        given = DeskParts(self.books, self.shelf, self.executor, version, "slot-0")
        return ActionDesk(replace(given, **parts))  # type: ignore[arg-type]

    def request(
        self,
        arguments: Arguments | None = None,
        actor: Actor = ANA,
        key: str = "k1",
        **more: object,
    ) -> Request:
        given = {"name": "n", "value": "new"} if arguments is None else arguments
        call = ToolCall(self.told.name, self.told.version, given)
        return replace(Request(call, actor, key), **more)  # type: ignore[arg-type]

    async def pending(self, arguments: Arguments | None = None, key: str = "k1") -> Action:
        action = await self.desk.prepare(self.request(arguments, key=key))
        assert action.state is State.PENDING, action.reason
        return action

    async def approved(self, arguments: Arguments | None = None, key: str = "k1") -> Action:
        action = await self.desk.decide("t", yes(await self.pending(arguments, key)))
        assert action.state is State.APPROVED
        return action

    async def done(self, arguments: Arguments | None = None, key: str = "k1") -> Action:
        return await self.perform(await self.approved(arguments, key))

    async def perform(self, action: Action, wait_s: float = 10.0) -> Action:
        return await self.desk.perform("t", action.id, wait_s)

    async def claimed(self, action: Action, worker: str = "w", lease_s: float = 15.0) -> Claim:
        claim = await self.books.claim(worker, lease_s, action.id)
        assert claim is not None
        return claim

    async def crashed(self, arguments: Arguments | None = None, *, effect: bool) -> Action:
        """An action whose worker died: before its effect, or after it."""
        action = await self.approved(arguments)
        claim = await self.claimed(action, lease_s=0.0)
        if effect:
            self.shop.keys.add(action.id)
            name, value = (str(action.call.arguments[each]) for each in ("name", "value"))
            self.shop.write(action.id, name, value)
        return claim.action

    async def state(self, action: Action) -> Action:
        return await self.books.action("t", action.id)


def yes(action: Action, approver: Actor = ANA, **more: object) -> Decision:
    word = Decision(action.id, action.digest, "approve", approver)
    return replace(word, **more)  # type: ignore[arg-type]


def of_class(effect: EffectClass, tier: Tier = Tier.R1, **more: object) -> Manifest:
    return replace(manifest(tier=tier, effect=effect), **more)  # type: ignore[arg-type]
