"""settings -> policy file, opened sources, a desk for one call: what `embark tools` works on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom

from embark.layers import ConfigurationError, UnreachableError
from embark.receipts_parts import make_journal, open_journal_engine, open_ring
from embark.region_parts import check_regions, pin_of
from embark.settings import Settings
from onboarding.journeys import FileKind, Kit, load_folder
from onboarding.rules import DataFileError
from tools.acting import Desk
from tools.audited import AuditedDesk
from tools.canonical import new_id
from tools.credentials import BearerToken, StaticCredentials
from tools.desk import DeskParts
from tools.executor import Executor, ExecutorParts
from tools.flows import FlowDefinition, FlowFileError, read_flows
from tools.policy import PolicyError, PolicyFile, load_policy
from tools.registry import Registry
from tools.sources import Opened, SourceError, SourceParts, open_sources

POLICY_VERSION = "1"
"""Of the rules of approval that this build has."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The policy file and what it makes of its sources."""

    file: PolicyFile
    opened: Opened
    registry: Registry


def policy_of(settings: Settings, file: Path | None = None) -> PolicyFile:
    """Raises ConfigurationError, with the line of every mistake."""
    path = file or settings.actions.tools
    if path is None:
        raise ConfigurationError(
            ["no policy file: set `actions.tools` in embark.toml, or name one with --file"]
        )
    try:
        return load_policy(path)
    except PolicyError as mistakes:
        raise ConfigurationError(mistakes.problems) from mistakes


def flows_of(settings: Settings) -> tuple[FlowDefinition, ...]:
    """Raises ConfigurationError, with the line of every mistake."""
    folder = settings.actions.flows
    if folder is None:
        return ()
    try:
        return read_flows(folder)
    except FlowFileError as mistakes:
        raise ConfigurationError(mistakes.problems) from mistakes


def kits_of(settings: Settings, flows: Sequence[FlowDefinition]) -> tuple[Kit, ...]:
    """Starter kits of the onboarding folder, where a flow makes some. Raises ConfigurationError."""
    folder = settings.onboarding.folder
    if folder is None or all(flow.kits is None for flow in flows):
        return ()
    try:
        return tuple(load_folder(folder, (FileKind.KIT,)).kits.values())
    except DataFileError as failure:
        raise ConfigurationError(failure.problems) from failure


@asynccontextmanager
async def open_tools(
    settings: Settings, file: Path | None = None, token: str = ""
) -> AsyncIterator[Tools]:
    """Until the context ends. `token` is the acting user's own for every source.

    Raises ConfigurationError, UnreachableError.
    """
    policy = policy_of(settings, file)
    check_regions(settings, policy)
    try:
        opened = await open_sources(policy, _parts(settings, policy, token))
    except SourceError as failure:
        raise UnreachableError(str(failure)) from failure
    try:
        yield Tools(policy, opened, Registry(opened.tools))
    finally:
        await opened.aclose()


def _parts(settings: Settings, policy: PolicyFile, token: str) -> SourceParts:
    targets = {source.credential for source in policy.policy.sources.values()} - {""}
    headers: Mapping[str, str] = BearerToken(token).headers() if token else {}
    known = dict.fromkeys(targets, headers) if token else {}
    return SourceParts(
        StaticCredentials(known),
        lambda: datetime.now(UTC),
        private=frozenset(settings.actions.private_hosts),
        pin=pin_of(settings, policy).check,
    )


@asynccontextmanager
async def open_desk(settings: Settings, registry: Registry) -> AsyncIterator[Desk]:
    """A desk of this process over the product's own journal: what is decided leaves a row of the
    audit log, what is done a receipt."""
    from embark.records import open_books  # noqa: PLC0415  # paid by who tries a tool

    ring = open_ring(settings)
    journal = make_journal(settings, open_journal_engine(settings), ring)
    try:
        executor = Executor(
            ExecutorParts(
                journal=journal,
                catalogue=registry,
                policy_version=POLICY_VERSION,
                now=lambda: datetime.now(UTC),
                rng=SystemRandom(),
            )
        )
        worker = f"cli-{new_id()}"
        parts = DeskParts(journal, registry, executor, POLICY_VERSION, worker)
        with open_books(settings) as books:
            yield AuditedDesk(parts, books.audit)
    finally:
        await journal.close()
