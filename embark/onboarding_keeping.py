"""settings -> what onboarding keeps of people: for their rights, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Engine

from embark.event_parts import aging_events, personal_events
from embark.onboarding_database import mac_of, open_database
from embark.onboarding_parts import Onboarding, stores_of
from embark.settings import Settings
from guardrails.retention import Aging
from guardrails.rights import PersonalStore, Remembered
from onboarding.engine.building import Stores
from onboarding.engine.files import Files, load_files
from onboarding.engine.following import Readers
from onboarding.store.events.log import SqlEventLog
from onboarding.store.interventions.aging import AgingDeliveries, AgingWatches
from onboarding.store.interventions.personal import PersonalDeliveries
from onboarding.store.interventions.sql import SqlDeliveries
from onboarding.store.journeys.keeping import AgingJourneys, PersonalJourneys
from onboarding.store.profile.personal import AgingGraph, AgingProfile, PersonalProfile
from onboarding.store.ranking.personal import AgingNextSteps, PersonalNextSteps
from onboarding.store.ranking.silences import PersonalSilences

TABLES = (
    *("product_event", "event_message", "event_alias", "event_member", "event_quarantine"),
    *("feature_state", "profile_fact", "profile_asked", "profile_self"),
    *("profile_node", "profile_edge", "journey_enrolment", "journey_done", "journey_mode"),
    "journey_guide",
    *("next_step_decision", "next_step_outcome", "next_step_mute", "silent_person"),
    *("intervention_delivery", "intervention_token", "intervention_outbox"),
    *("intervention_choice", "intervention_silence", "intervention_watch", "intervention_fix"),
)
"""Those with something of a person: on PostgreSQL rewritten after an erasure."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Everything that onboarding keeps, over one database."""

    settings: Settings
    database: Engine
    files: Files
    stores: Stores
    readers: Readers = field(default_factory=Readers)

    @property
    def personal(self) -> tuple[PersonalStore, ...]:
        """In the order in which they are erased: what is made of events after the events."""
        events = personal_events(self.settings, self.database, self.files.features.spec)
        return (*events, *self.made)

    @property
    def made(self) -> tuple[PersonalStore, ...]:
        """Of events: once what readers hold of them is written."""
        stores = self.stores
        return (
            Remembered("event_readers", self._settled, _none),
            PersonalProfile(stores.profiles, stores.graph),
            PersonalJourneys(stores.progress),
            PersonalNextSteps(stores.steps),
            PersonalSilences(stores.silences),
            PersonalDeliveries(stores.deliveries),
        )

    async def _settled(self, _tenant: str, _subject: str) -> int:
        await self.readers.settled()
        return 0

    def agings(self) -> Iterator[Aging]:
        stores = self.stores
        yield from aging_events(self.settings, self.database, self.files.events)
        yield AgingProfile(stores.profiles)
        yield AgingGraph(stores.graph)
        yield AgingJourneys(stores.progress)
        yield AgingNextSteps(stores.steps)
        yield AgingDeliveries(stores.deliveries)
        yield AgingWatches(stores.watches)


@contextmanager
def open_kept(settings: Settings) -> Iterator[Kept | None]:
    """An engine of its own until the context ends; None where nobody is guided. Raises
    ConfigurationError, UnreachableError, DataFileError."""
    folder = settings.onboarding.folder
    if folder is None:
        yield None
        return
    database = open_database(settings)
    try:
        log = SqlEventLog(database, mac_of(settings))
        stores = stores_of(database, log, SqlDeliveries(database))
        yield Kept(settings, database, load_files(folder), stores)
    finally:
        database.dispose()


def kept_by(onboarding: Onboarding, settings: Settings) -> Kept:
    """The same over what a server has open."""
    engine = onboarding.engine
    return Kept(settings, onboarding.database, engine.files, engine.stores, engine.readers)


def remembered_by(onboarding: Onboarding) -> tuple[PersonalStore, ...]:
    """What the process of a server remembers of people."""
    engine = onboarding.engine

    async def forget(tenant: str, subject: str) -> int:
        engine.states.forget(tenant, subject)
        onboarding.log.forget(tenant, subject)
        return 0

    async def known(tenant: str, subject: str) -> int:
        return engine.states.count(tenant, subject)

    return (Remembered("product states", forget, known),)


async def _none(_tenant: str, _subject: str) -> int:
    """What they hold is not counted: it is waited for."""
    return 0
