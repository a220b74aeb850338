"""settings -> everything that acts: tools, flows, journal, desk, worker, identity.

policy file, flow files -> registry ─┐
journal file -> journal, vault ──────┼─> desk, worker ─> Copilot, HTTP
host product -> identity ────────────┘
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from random import SystemRandom

import structlog
from sqlalchemy import Engine

from agent.acting import Planner
from agent.choices import FactSource, ToolFacts, ToolLookup
from agent.deps import Acting
from api import Acts
from embark.connector_parts import Switching, make_switching
from embark.host_identity import Host, HostIdentity, WhoAmI, host_client
from embark.layers import ConfigurationError, UnreachableError
from embark.receipts_parts import make_journal, make_vault, open_journal_engine, open_ring
from embark.records import Tell
from embark.region_parts import check_regions, pin_of, pinned
from embark.settings import Settings
from embark.tool_parts import POLICY_VERSION, flows_of, kits_of, policy_of
from embark.webhook_parts import open_sender, telling
from guardrails.audit import AuditLog
from guardrails.background import lasting
from tools import held_sql
from tools.audited import AuditedDesk
from tools.connectors import KNOWN_S, SwitchGate
from tools.credentials import CredentialStore
from tools.desk import ActionDesk, DeskParts
from tools.executor import Executor, ExecutorParts
from tools.flows import FlowParts, flow_problems, flow_tools
from tools.gate import Gate
from tools.held_sql import SqlHeldValues
from tools.journal import Action
from tools.journal_sql import SqlJournal
from tools.receipts.checkpoints import Checkpointer, CheckpointError, StoredCheckpoint
from tools.receipts.checkpoints_sql import SqlCheckpoints
from tools.receipts.keys import KeyRing, KeyRingError
from tools.registry import DuplicateToolError, Registry
from tools.retrying import Patience
from tools.slots import FileSlots, PostgresSlots, Slots
from tools.sources import SourceError, SourceParts, open_sources
from tools.switched import SwitchedTool
from tools.tool import Tool
from tools.types import Progress
from tools.vault_sql import SqlVault
from tools.webhooks import Sender, of_checkpoint
from tools.worker import Chore, Worker, WorkerParts, WorkerPolicy

CHECKPOINT_EVERY_S = 5.0
"""How often it is looked whether a checkpoint of the receipts is due."""
DELIVER_EVERY_S = 1.0
"""How often it is looked whether somebody is to be told of something."""
_log = structlog.get_logger(__name__)


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
    vault: SqlVault
    slots: Slots
    slot: str
    settings: Settings
    sender: Sender
    gate: SwitchGate

    @asynccontextmanager
    async def at_work(self, tell: Tell) -> AsyncIterator[Worker]:
        """A worker beside whatever runs in the block; `tell` hears of every change of state."""
        worker = Worker(self._worker_parts(tell))
        stop = asyncio.Event()
        lasts = lasting("action worker", lambda: worker.serve(stop), stop=stop)
        serving = asyncio.create_task(lasts, name="action worker")
        try:
            yield worker
        finally:
            stop.set()
            await serving

    def _worker_parts(self, tell: Tell) -> WorkerParts:
        tenant = self.settings.tenant

        async def published(made: StoredCheckpoint) -> None:
            await self.sender.tell(of_checkpoint(made))

        stored = SqlCheckpoints(self.engine)
        pointer = Checkpointer(self.journal, stored, self.ring, (published,))

        async def checkpoint() -> None:
            try:
                await pointer.visit(tenant, datetime.now(UTC))
            except (CheckpointError, KeyRingError) as failure:  # an operator must act; users go on
                _log.error("checkpoint_not_made", error=str(failure))

        async def look() -> None:
            await self.gate.look(tenant)

        async def deliver() -> None:
            await self.sender.visit(tenant)

        return WorkerParts(
            journal=self.journal,
            executor=self.executor,
            slot=self.slot,
            rng=SystemRandom(),
            slots=self.slots,
            tell=telling(self.sender, self.journal, tell),
            chores=(
                Chore("checkpoint", CHECKPOINT_EVERY_S, checkpoint),
                Chore("webhooks", DELIVER_EVERY_S, deliver),
                Chore("switches", KNOWN_S, look),
            ),
            policy=WorkerPolicy(at_once=self.settings.actions.workers),
        )


@asynccontextmanager
async def open_hands(settings: Settings, planner: Planner, audit: AuditLog) -> AsyncIterator[Hands]:
    """Until the context ends; what people decide stands in `audit`. Raises ConfigurationError,
    UnreachableError, and JournalUnavailableError."""
    async with AsyncExitStack() as closing:
        ring = open_ring(settings)
        engine = open_journal_engine(settings)
        held_sql.prepare(engine)
        vault = make_vault(settings, engine)
        journal = make_journal(settings, engine, ring, vault)
        closing.push_async_callback(journal.close)
        switching = make_switching(settings, engine, vault)
        tools = await _sources(settings, switching, closing)
        slots = _slots(settings, engine)
        slot = await asyncio.to_thread(slots.take)
        closing.callback(slots.close)
        held = SqlHeldValues(engine, vault)
        made = _Making(settings, journal, slot, held, audit, switching.gate)
        registry, executor, desk = made.desk(tools)
        identify = await _identity(settings, switching.credentials, closing)
        if identify is not None:
            switching.gate.listen(identify.forget_all)
        yield Hands(
            acts=Acts(identify, desk, journal, registry, ring, connectors=switching.desk),
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
            vault=vault,
            slots=slots,
            slot=slot,
            settings=settings,
            sender=await open_sender(settings, engine, closing),
            gate=switching.gate,
        )


@dataclass(frozen=True, slots=True)
class _Making:
    """Registry, executor and desk know each other: flows perform their steps through the desk."""

    settings: Settings
    journal: SqlJournal
    slot: str
    held: SqlHeldValues
    audit: AuditLog
    gate: Gate

    def desk(self, tools: Sequence[Tool]) -> tuple[Registry, Executor, ActionDesk]:
        desks: list[ActionDesk] = []

        async def perform(tenant: str, action_id: str, wait_s: float) -> Action:
            return await desks[0].perform(tenant, action_id, wait_s)

        parts = FlowParts(
            journal=self.journal,
            catalogue=lambda: registry,
            perform=perform,
            clock=lambda: datetime.now(UTC),
            report=_progress,
        )
        flows = flows_of(self.settings)
        kits = kits_of(self.settings, flows)
        try:
            registry = Registry((*tools, *flow_tools(flows, parts, kits)))
        except DuplicateToolError as twice:
            raise ConfigurationError([str(twice)]) from twice
        if problems := flow_problems(flows, registry, kits):
            raise ConfigurationError(problems)
        executor = Executor(
            ExecutorParts(
                journal=self.journal,
                catalogue=registry,
                policy_version=POLICY_VERSION,
                now=lambda: datetime.now(UTC),
                rng=SystemRandom(),
                patience=Patience(lease_s=self.settings.actions.lease_s),
                report=_progress,
                gate=self.gate,
            )
        )
        desk = DeskParts(
            journal=self.journal,
            catalogue=registry,
            executor=executor,
            policy_version=POLICY_VERSION,
            worker=self.slot,
            held=self.held,
            gate=self.gate,
        )
        desks.append(AuditedDesk(desk, self.audit))
        return registry, executor, desks[0]


async def _sources(
    settings: Settings, switching: Switching, closing: AsyncExitStack
) -> tuple[Tool, ...]:
    policy = policy_of(settings)
    check_regions(settings, policy)
    parts = SourceParts(
        switching.credentials,
        lambda: datetime.now(UTC),
        private=frozenset(settings.actions.private_hosts),
        addresses=settings.actions.addresses,
        pin=pin_of(settings, policy).check,
    )
    try:
        opened = await open_sources(policy, parts)
    except SourceError as failure:
        raise UnreachableError(str(failure)) from failure
    closing.push_async_callback(opened.aclose)
    if opened.problems:
        raise ConfigurationError([str(problem) for problem in opened.problems])
    return tuple(SwitchedTool(tool, switching.gate) for tool in opened.tools)


def _slots(settings: Settings, engine: Engine) -> Slots:
    if engine.dialect.name == "postgresql":
        return PostgresSlots(engine)
    return FileSlots(settings.data_dir / "slots")


def _progress(made: Progress) -> None:
    """For operators; people see it from the journal, wherever the action is performed."""
    _log.debug(
        "action_progress",
        action=made.action_id,
        state=made.state,
        step=made.step,
        done=made.done,
        of=made.of,
        reason=made.detail,
        next_try=made.next_try.isoformat() if made.next_try else "",
    )


def _facts(settings: Settings) -> dict[str, FactSource]:
    return {
        name: FactSource(fact.tool, fact.at, dict(fact.arguments))
        for name, fact in settings.actions.facts.items()
    }


async def _identity(
    settings: Settings, credentials: CredentialStore, closing: AsyncExitStack
) -> HostIdentity | None:
    chosen = settings.identity
    if chosen is None or chosen.url is None:
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
    client = await closing.enter_async_context(pinned(host_client(), pin_of(settings)))
    host = Host(settings.tenant, chosen.target, me)
    return HostIdentity(host, client, credentials, time.monotonic)
