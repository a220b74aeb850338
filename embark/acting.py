"""settings -> everything that acts: tools, flows, journal, desk, worker, identity.

policy file, flow files -> registry ─┐
journal file -> journal, vault ──────┼─> desk, worker ─> Copilot, HTTP
host product -> identity ────────────┘
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from random import SystemRandom

import httpx
from sqlalchemy import Engine

from agent.acting import Planner
from agent.choices import FactSource, ToolFacts, ToolLookup
from agent.deps import Acting
from api import Acts
from embark.host_identity import Host, HostIdentity, WhoAmI
from embark.layers import ConfigurationError, UnreachableError
from embark.receipts_parts import make_journal, make_vault, open_journal_engine, open_ring
from embark.settings import Settings
from embark.tool_parts import POLICY_VERSION, policy_of
from tools import credentials_sql, held_sql
from tools.credentials import CredentialStore
from tools.credentials_sql import SqlCredentials
from tools.desk import ActionDesk, DeskParts
from tools.executor import Executor, ExecutorParts
from tools.flows import (
    FlowDefinition,
    FlowFileError,
    FlowParts,
    flow_problems,
    flow_tools,
    read_flows,
)
from tools.held_sql import SqlHeldValues
from tools.journal import Action, OutboxRow
from tools.journal_sql import SqlJournal
from tools.receipts.checkpoints import Checkpointer
from tools.receipts.checkpoints_sql import SqlCheckpoints
from tools.receipts.keys import KeyRing
from tools.registry import DuplicateToolError, Registry
from tools.retrying import Patience
from tools.slots import FileSlots, PostgresSlots, Slots
from tools.sources import SourceError, SourceParts, open_sources
from tools.tool import Tool
from tools.worker import Chore, Worker, WorkerParts, WorkerPolicy

CHECKPOINT_EVERY_S = 5.0
"""How often it is looked whether a checkpoint of the receipts is due."""
Tell = Callable[[OutboxRow], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Hands:
    """What acts in this process. `acts` goes to the HTTP surface, `acting` to the Copilot."""

    acts: Acts
    acting: Acting
    registry: Registry
    journal: SqlJournal
    executor: Executor
    ring: KeyRing
    engine: Engine
    slots: Slots
    slot: str
    settings: Settings

    @asynccontextmanager
    async def at_work(self, tell: Tell) -> AsyncIterator[Worker]:
        """A worker beside whatever runs in the block; `tell` hears of every change of state."""
        worker = Worker(self._worker_parts(tell))
        stop = asyncio.Event()
        serving = asyncio.create_task(worker.serve(stop), name="action worker")
        try:
            yield worker
        finally:
            stop.set()
            await serving

    def _worker_parts(self, tell: Tell) -> WorkerParts:
        pointer = Checkpointer(self.journal, SqlCheckpoints(self.engine), self.ring)
        tenant = self.settings.tenant

        async def checkpoint() -> None:
            await pointer.visit(tenant, datetime.now(UTC))

        return WorkerParts(
            journal=self.journal,
            executor=self.executor,
            slot=self.slot,
            rng=SystemRandom(),
            slots=self.slots,
            tell=tell,
            chores=(Chore("checkpoint", CHECKPOINT_EVERY_S, checkpoint),),
            policy=WorkerPolicy(at_once=self.settings.actions.workers),
        )


@asynccontextmanager
async def open_hands(settings: Settings, planner: Planner) -> AsyncIterator[Hands]:
    """Until the context ends. Raises ConfigurationError, UnreachableError, and
    JournalUnavailableError."""
    async with AsyncExitStack() as closing:
        ring = open_ring(settings)
        engine = open_journal_engine(settings)
        for part in (credentials_sql, held_sql):
            part.prepare(engine)
        vault = make_vault(settings, engine)
        journal = make_journal(settings, engine, ring, vault)
        closing.push_async_callback(journal.close)
        credentials = SqlCredentials(engine, vault, lambda: datetime.now(UTC))
        tools = await _sources(settings, credentials, closing)
        slots = _slots(settings, engine)
        slot = await asyncio.to_thread(slots.take)
        closing.callback(slots.close)
        held = SqlHeldValues(engine, vault)
        made = _Making(settings, journal, slot, held)
        registry, executor, desk = made.desk(tools)
        identify = await _identity(settings, credentials, closing)
        yield Hands(
            acts=Acts(identify, desk, journal, registry, ring),
            acting=Acting(
                desk=desk,
                journal=journal,
                catalogue=registry,
                planner=planner,
                held=held,
                facts=ToolFacts(registry, _facts(settings)),
                lookup=lambda actor: ToolLookup(registry, actor),
            ),
            registry=registry,
            journal=journal,
            executor=executor,
            ring=ring,
            engine=engine,
            slots=slots,
            slot=slot,
            settings=settings,
        )


@dataclass(frozen=True, slots=True)
class _Making:
    """Registry, executor and desk know each other: flows perform their steps through the desk."""

    settings: Settings
    journal: SqlJournal
    slot: str
    held: SqlHeldValues

    def desk(self, tools: Sequence[Tool]) -> tuple[Registry, Executor, ActionDesk]:
        desks: list[ActionDesk] = []

        async def perform(tenant: str, action_id: str, wait_s: float) -> Action:
            return await desks[0].perform(tenant, action_id, wait_s)

        parts = FlowParts(
            journal=self.journal,
            catalogue=lambda: registry,
            perform=perform,
            clock=lambda: datetime.now(UTC),
        )
        flows = self._flows()
        try:
            registry = Registry((*tools, *flow_tools(flows, parts)))
        except DuplicateToolError as twice:
            raise ConfigurationError([str(twice)]) from twice
        if problems := flow_problems(flows, registry):
            raise ConfigurationError(problems)
        executor = Executor(
            ExecutorParts(
                journal=self.journal,
                catalogue=registry,
                policy_version=POLICY_VERSION,
                now=lambda: datetime.now(UTC),
                rng=SystemRandom(),
                patience=Patience(lease_s=self.settings.actions.lease_s),
            )
        )
        desks.append(
            ActionDesk(
                DeskParts(self.journal, registry, executor, POLICY_VERSION, self.slot, self.held)
            )
        )
        return registry, executor, desks[0]

    def _flows(self) -> tuple[FlowDefinition, ...]:
        folder = self.settings.actions.flows
        if folder is None:
            return ()
        try:
            return read_flows(folder)
        except FlowFileError as mistakes:
            raise ConfigurationError(mistakes.problems) from mistakes


async def _sources(
    settings: Settings, credentials: CredentialStore, closing: AsyncExitStack
) -> tuple[Tool, ...]:
    parts = SourceParts(
        credentials,
        lambda: datetime.now(UTC),
        private=frozenset(settings.actions.private_hosts),
        addresses=settings.actions.addresses,
    )
    try:
        opened = await open_sources(policy_of(settings), parts)
    except SourceError as failure:
        raise UnreachableError(str(failure)) from failure
    closing.push_async_callback(opened.aclose)
    if opened.problems:
        raise ConfigurationError([str(problem) for problem in opened.problems])
    return opened.tools


def _slots(settings: Settings, engine: Engine) -> Slots:
    if engine.dialect.name == "postgresql":
        return PostgresSlots(engine)
    return FileSlots(settings.data_dir / "slots")


def _facts(settings: Settings) -> dict[str, FactSource]:
    return {
        name: FactSource(fact.tool, fact.at, dict(fact.arguments))
        for name, fact in settings.actions.facts.items()
    }


async def _identity(
    settings: Settings, credentials: CredentialStore, closing: AsyncExitStack
) -> HostIdentity | None:
    chosen = settings.identity
    if chosen is None:
        return None
    me = WhoAmI(
        url=chosen.url,
        subject=chosen.subject,
        account=chosen.account,
        rights=chosen.rights,
        role=chosen.role,
        plan=chosen.plan,
        auth_time=chosen.auth_time,
    )
    client = await closing.enter_async_context(httpx.AsyncClient(follow_redirects=False))
    host = Host(settings.tenant, chosen.target, me)
    return HostIdentity(host, client, credentials, time.monotonic)
