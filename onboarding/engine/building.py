"""Stores and files -> the engine: the desks of the rooms, and what joins them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from secrets import token_urlsafe

from guardrails.consent import ConsentReader, Permission
from onboarding.engine.advising import Advisor, AdvisorParts
from onboarding.engine.asking import Questions
from onboarding.engine.cohorts import Outlooks
from onboarding.engine.files import Files
from onboarding.engine.following import Readers
from onboarding.engine.foreseeing import Foresight, ForesightParts
from onboarding.engine.hearing import Hearing, HearingParts
from onboarding.engine.inviting import Inviting
from onboarding.engine.moments import Moments
from onboarding.engine.outcomes import Outcomes
from onboarding.engine.risks import StepRisks
from onboarding.engine.silences import Silences
from onboarding.engine.standings import JourneyStandings, StandingParts
from onboarding.engine.states import KnownStates
from onboarding.events import EventLog
from onboarding.features.store import Features, FeatureStore
from onboarding.profile.graph import GraphQueries, GraphStore
from onboarding.profile.keeping import ProfileStore
from onboarding.ranking import Policy
from onboarding.store.interventions.helping import FrictionDesk
from onboarding.store.interventions.store import DeliveryStore
from onboarding.store.interventions.watches import WatchStore
from onboarding.store.journeys.current import CurrentCatalogues
from onboarding.store.journeys.desk import JourneyDesk
from onboarding.store.journeys.foreseeing import Foreseeing
from onboarding.store.journeys.store import CatalogueStore, ProgressStore
from onboarding.store.profile.desk import ProfileDesk
from onboarding.store.profile.parts import ProfileParts
from onboarding.store.ranking.registry import ModelFolder
from onboarding.store.ranking.serving import ServedRanker, ServedStalls
from onboarding.store.ranking.silences import SilenceStore
from onboarding.store.ranking.store import Champions, NextSteps


@dataclass(frozen=True, slots=True)
class Stores:
    """Where everything is kept: SQL, or memory."""

    log: EventLog
    features: FeatureStore
    profiles: ProfileStore
    graph: GraphStore
    progress: ProgressStore
    catalogues: CatalogueStore
    steps: NextSteps
    champions: Champions
    deliveries: DeliveryStore
    watches: WatchStore
    silences: SilenceStore


@dataclass(frozen=True, slots=True)
class Outside:
    """What is not onboarding's own: time, consents, where models lie."""

    tenant: str
    clock: Callable[[], datetime]
    consents: ConsentReader
    models: ModelFolder
    timer: Callable[[], float] = time.monotonic
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class Engine:
    """One of these per tenant and process."""

    files: Files
    stores: Stores
    states: KnownStates
    moments: Moments
    profiles: ProfileDesk
    journeys: JourneyDesk
    frictions: FrictionDesk
    outlooks: Outlooks
    advisor: Advisor
    hearing: Hearing
    standings: JourneyStandings
    silences: Silences
    questions: Questions
    inviting: Inviting
    readers: Readers = field(default_factory=Readers)


def new_id() -> str:
    """Of a decision: 128 random bits as 22 characters."""
    return token_urlsafe(16)


def build(stores: Stores, files: Files, outside: Outside) -> Engine:
    """Nothing is opened or started here."""
    catalogues = CurrentCatalogues(stores.catalogues)
    journeys = JourneyDesk(stores.progress, catalogues)
    known = _profiles(stores, files, outside)
    states = KnownStates(files.states)
    features = Features(stores.log, stores.features, files.features)
    guided = ProfileDesk(known, outside.clock)
    model = ServedStalls(
        stores.champions, outside.models, files.features.spec, outside.tenant, outside.timer
    ).model
    risks = StepRisks(stores.progress, catalogues, features, guided, model)
    moments = Moments(stores.log, features, guided, states, risks.of)
    foreseeing = Foreseeing(stores.progress, catalogues)
    foresight = Foresight(
        ForesightParts(
            moments, foreseeing, files.actions, stores.steps, outside.clock, outside.policy
        )
    )
    profiles = ProfileDesk(replace(known, foresee=foresight), outside.clock)
    frictions = FrictionDesk(files.detectors, files.signals, stores.watches, risks=risks.at_steps)
    standing = StandingParts(
        permission=Permission(outside.consents),
        moments=moments,
        journeys=journeys,
        progress=stores.progress,
        catalogues=catalogues,
    )
    inviting = Inviting(GraphQueries(stores.graph), files.invites)
    parts = HearingParts(
        log=stores.log,
        moments=moments,
        profiles=profiles,
        journeys=journeys,
        frictions=frictions,
        deliveries=stores.deliveries,
        placeholders={n: files.templates.placeholders(n) for n in files.templates.names},
        inviting=inviting,
        outcomes=Outcomes(stores.steps),
        clock=outside.clock,
    )
    hearing = Hearing(parts)
    return Engine(
        files=files,
        stores=stores,
        states=states,
        moments=moments,
        profiles=profiles,
        journeys=journeys,
        frictions=frictions,
        outlooks=Outlooks(stores.progress),
        advisor=_advisor(stores, files, outside, moments, journeys),
        hearing=hearing,
        standings=JourneyStandings(standing),
        silences=Silences(stores.silences, outside.tenant, hearing.look, outside.clock),
        questions=Questions(profiles),
        inviting=inviting,
    )


def _profiles(stores: Stores, files: Files, outside: Outside) -> ProfileParts:
    return ProfileParts(
        store=stores.profiles,
        graph=stores.graph,
        consents=outside.consents,
        mind=files.mind,
        words=files.words,
        questions=files.questions,
        edges=files.edges,
        history=stores.log.history,
    )


def _advisor(
    stores: Stores, files: Files, outside: Outside, moments: Moments, journeys: JourneyDesk
) -> Advisor:
    served = ServedRanker(
        stores.champions, outside.models, files.sentences, outside.tenant, outside.timer
    )
    return Advisor(
        AdvisorParts(
            moments=moments,
            journeys=journeys,
            actions=files.actions,
            decisions=stores.steps,
            ranker=served.ranker,
            new_id=new_id,
            timer=outside.timer,
            policy=outside.policy,
        )
    )
