"""settings -> the onboarding engine over SQL, and what it does beside a server.

FOLDER (data files) ─┐
database ────────────┼─> engine ─> guidance: conversation, HTTP
consents, product ───┘        └─> readers of the log, the sweep of what was withdrawn
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from pydantic import JsonValue
from sqlalchemy import Engine as Database

from agent.choices import read as read_tool
from api.interventions import Messages
from embark.channel_parts import (
    Texts,
    chosen_by,
    heard_by,
    make_door,
    make_worker,
    open_channels,
)
from embark.event_parts import EventParts, keep_events, make_events
from embark.guidance import Guidance, GuidanceParts
from embark.layers import ConfigurationError
from embark.nudges import recording
from embark.onboarding_database import MODELS, mac_of, open_database
from embark.product_reading import Read, reads_nothing
from embark.records import Books, Tell, now
from embark.settings import Settings
from guardrails.background import Work, beside, lasting
from guardrails.decisions import Row
from guardrails.refs import owner
from guardrails.store import StoreUnavailableError
from onboarding.engine.building import Engine, Outside, Stores, build, new_id
from onboarding.engine.files import Files, load_files, read_folder
from onboarding.engine.following import Follower, Handle
from onboarding.features.updating import FeatureUpdater
from onboarding.journeys.lint import lint
from onboarding.ranking import Policy
from onboarding.rules import DataFileError
from onboarding.store.events.engine import move_log
from onboarding.store.events.log import SqlEventLog
from onboarding.store.features import sql as features_sql
from onboarding.store.interventions import Worker
from onboarding.store.interventions import sql as interventions_sql
from onboarding.store.interventions.in_app import nowhere
from onboarding.store.interventions.watches import SqlWatches
from onboarding.store.journeys import progress_sql
from onboarding.store.journeys.catalogue_sql import SqlCatalogues
from onboarding.store.journeys.store import Draft, PublishError
from onboarding.store.profile import sql as profile_sql
from onboarding.store.profile.graph_sql import SqlGraph
from onboarding.store.ranking import sql as ranking_sql
from onboarding.store.ranking.champions import SqlChampions
from onboarding.store.ranking.registry import ModelFolder
from onboarding.store.ranking.silences import SqlSilences
from onboarding.types import Event
from tools.journal import Journal, OutboxRow, UnknownActionError
from tools.tool import Catalogue as ReadingTools
from tools.types import Actor
from tools.vault import Vault

SWEEP_S: Final = 30.0
"""How often it is looked whether somebody withdrew a consent: in effect within a minute."""
LOOKS_S: Final = 5.0
"""How often it is looked whether somebody who is silent is due; so many a minute are."""
TIMERS_S: Final = 1.0
"""How often detectors' timers are looked at."""
SERVER: Final = "embark"
"""Who publishes what was never published."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Onboarding:
    """One of these per process."""

    tenant: str
    database: Database
    files: Files
    engine: Engine
    guidance: Guidance
    log: SqlEventLog
    events: EventParts
    worker: Worker
    messages: Messages


@dataclass(frozen=True, slots=True)
class Around:
    """What the rest of the product lends: keys of subjects, the record of decisions, and the
    product's own readings."""

    vault: Vault
    record: Callable[[Row], object]
    read: Read = reads_nothing


@asynccontextmanager
async def open_onboarding(
    settings: Settings, books: Books, around: Around
) -> AsyncIterator[Onboarding]:
    """Until the context ends. Raises ConfigurationError, UnreachableError."""
    folder, chosen = settings.onboarding.folder, chosen_by(settings)
    if folder is None:
        raise ConfigurationError(["onboarding.folder: names no folder"])
    try:
        files = load_files(folder)
    except DataFileError as failure:
        raise ConfigurationError(failure.problems) from failure
    async with AsyncExitStack() as closing:
        database = open_database(settings)
        closing.callback(database.dispose)
        channels = await open_channels(chosen, nowhere, closing)
        log = SqlEventLog(database, mac_of(settings))
        deliveries = interventions_sql.SqlDeliveries(database, channels.rules)
        engine = build(
            stores_of(database, log, deliveries),
            files,
            Outside(
                owner(settings.tenant),
                now,
                books.reader,
                models_of(settings),
                policy=policy_of(settings),
            ),
        )
        texts = Texts(files.templates, engine.standings, recording(around.record))
        yield Onboarding(
            tenant=settings.tenant,
            database=database,
            files=files,
            engine=engine,
            guidance=Guidance(_guidance_parts(engine, around.record, around.read)),
            log=log,
            events=make_events(settings, database, files.events, books.reader, around.vault, log),
            worker=make_worker(settings, chosen, channels, deliveries, texts),
            messages=Messages(
                make_door(settings, chosen, channels, deliveries, files.templates),
                now,
                heard_by(settings, database),
            ),
        )


def reading_with(catalogue: ReadingTools | None) -> Read:
    """States of the product through its own reading tools, with the rights of who is there."""
    if catalogue is None:
        return reads_nothing

    async def reading(actor: Actor, tool: str) -> JsonValue:
        return await read_tool(catalogue, actor, tool, {})

    return reading


def policy_of(settings: Settings) -> Policy:
    """How much of what is suggested is left to chance."""
    trying = settings.onboarding.trying
    return Policy(nothing=trying.nothing, explore=trying.explore)


def models_of(settings: Settings) -> ModelFolder:
    """Learned versions of this tenant, as `embark model` finds them."""
    return ModelFolder(settings.data_dir / MODELS / settings.tenant)


def stores_of(
    database: Database, log: SqlEventLog, deliveries: interventions_sql.SqlDeliveries
) -> Stores:
    """Over one database."""
    return Stores(
        log=log,
        features=features_sql.SqlFeatures(database),
        profiles=profile_sql.SqlProfiles(database),
        graph=SqlGraph(database),
        progress=progress_sql.SqlProgress(database),
        catalogues=SqlCatalogues(database),
        steps=ranking_sql.SqlNextSteps(database),
        champions=SqlChampions(database),
        deliveries=deliveries,
        watches=SqlWatches(database),
        silences=SqlSilences(database),
    )


@asynccontextmanager
async def guiding(onboarding: Onboarding | None, settings: Settings) -> AsyncIterator[None]:
    """Everything that goes on beside a server: readers of the log, timers, sweeps. Raises
    ConfigurationError where what was never published has mistakes."""
    if onboarding is None:
        yield
        return
    await publish_first(onboarding, settings)
    stop = asyncio.Event()
    sends = lasting("onboarding messages", lambda: onboarding.worker.serve(stop, now), stop=stop)
    sending = asyncio.create_task(sends, name="onboarding messages")
    try:
        async with beside(_work(onboarding, settings)):
            yield
    finally:
        stop.set()
        await sending  # what is on its way is sent


def noted(onboarding: Onboarding, journal: Journal, tell: Tell) -> Tell:
    """`tell`, after what was done is on the person's list. A list that cannot be written now is
    written when the product tells of the deed."""

    async def telling(row: OutboxRow) -> float | None:
        try:
            await onboarding.guidance.acted(await journal.action(row.tenant, row.action_id))
        except (StoreUnavailableError, UnknownActionError) as failure:
            _log.warning("onboarding.not_noted", error=type(failure).__name__)
        return await tell(row)

    return telling


def _work(onboarding: Onboarding, settings: Settings) -> dict[str, Work]:
    """What goes on beside a server, by name."""
    engine, tenant = onboarding.engine, onboarding.tenant
    hearing, log, readers = engine.hearing, engine.stores.log, engine.readers
    updater = FeatureUpdater(log, engine.stores.features, engine.files.features, tenant)

    def waking(handle: Handle) -> Handle:
        """What was planned goes out at once."""

        async def handled(events: Sequence[Event]) -> None:
            await handle(events)
            onboarding.worker.wake()

        return handled

    work: dict[str, Work] = {
        "features": updater.run,
        "people": Follower(log, tenant, "people", hearing.learn, readers).run,
        "progress": Follower(log, tenant, "progress", waking(hearing.advance), readers).run,
        "friction": Follower(log, tenant, "friction", waking(hearing.help), readers).run,
        "silences": Follower(log, tenant, "silences", engine.silences.hear, readers).run,
        "looks": _often(LOOKS_S, engine.silences.visit),
        "timers": _often(TIMERS_S, lambda: engine.frictions.visit(tenant, now())),
        "log": _often(TIMERS_S, lambda: asyncio.to_thread(move_log, onboarding.database)),
        "upkeep": lambda: keep_events(settings, onboarding.database),
        "withdrawn": _often(SWEEP_S, lambda: engine.profiles.sweep_withdrawn(tenant)),
    }
    return {f"onboarding {name}": run for name, run in work.items()}


def _often(every_s: float, work: Work) -> Work:
    """Until cancelled; a database that does not answer is asked again next time."""

    async def repeated() -> None:
        while True:
            try:
                await work()
            except StoreUnavailableError:
                _log.warning("onboarding.store_away")
            await asyncio.sleep(every_s)

    return repeated


async def publish_first(onboarding: Onboarding, settings: Settings) -> None:
    """Where nothing was ever published, the folder is. Raises ConfigurationError."""
    catalogues = onboarding.engine.stores.catalogues
    if await catalogues.pointer(onboarding.tenant) is not None:
        return
    flows = settings.actions.flows
    names = frozenset(path.stem for path in flows.glob("*.yaml")) if flows is not None else None
    folder = read_folder(onboarding.files.folder, names)
    if not folder.catalogue.sources:
        return
    found = lint(folder.catalogue, folder.known)
    if found:
        raise ConfigurationError([each.told for each in found])
    draft = Draft(folder.catalogue.sources, SERVER, now(), "the first start")
    try:
        await catalogues.publish(onboarding.tenant, draft, None)
    except PublishError:  # another process was first
        _log.info("onboarding.published_elsewhere")


def _guidance_parts(engine: Engine, record: Callable[[Row], object], read: Read) -> GuidanceParts:
    return GuidanceParts(
        advisor=engine.advisor,
        hearing=engine.hearing,
        moments=engine.moments,
        journeys=engine.journeys,
        outlooks=engine.outlooks,
        steps=engine.stores.steps,
        states=engine.states,
        actions=engine.files.actions,
        sentences=engine.files.sentences,
        signals=engine.files.signals,
        clock=now,
        new_id=new_id,
        record=record,
        questions=engine.questions,
        inviting=engine.inviting,
        read=read,
    )
