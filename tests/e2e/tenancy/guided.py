"""The stores of onboarding over one database, and the same way to first value in each for any
tenant. As in `stores`: all ids are the same for everybody, only the canary differs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from random import Random

from sqlalchemy import Engine

from guardrails.consent import Purpose, Tagged
from onboarding.events import Addition, Link, Membership
from onboarding.events.keeping import Due
from onboarding.features.store import subjects_of
from onboarding.features.updating import FeatureUpdater
from onboarding.interventions import Channel, Reason, Silence, Standing, State
from onboarding.interventions.channel import Sent
from onboarding.interventions.choices import Choice, Wish
from onboarding.interventions.fixes import Tried
from onboarding.journeys import Done, Enrolment, FileKind, GuideMark, GuideState, Source
from onboarding.profile.graph import Edge, Route, inverses
from onboarding.profile.questions import Reply
from onboarding.ranking import never
from onboarding.store.events.engine import upgrade as upgrade_events
from onboarding.store.events.keeping import SqlEventKeeping
from onboarding.store.events.log import SqlEventLog
from onboarding.store.events.quarantine import SqlQuarantine
from onboarding.store.features import sql as features_sql
from onboarding.store.interventions import sql as interventions_sql
from onboarding.store.interventions.store import Claim, Wanted
from onboarding.store.interventions.watches import Held, SqlWatches
from onboarding.store.journeys import Draft, Marks, Switch, progress_sql
from onboarding.store.journeys.catalogue_sql import SqlCatalogues
from onboarding.store.profile import sql as profile_sql
from onboarding.store.profile.graph_sql import SqlGraph
from onboarding.store.profile.readiness import SqlReadiness
from onboarding.store.ranking import sql as ranking_sql
from onboarding.store.ranking.champions import SqlChampions
from onboarding.store.ranking.silences import Pace, SqlSilences
from onboarding.types import Mode, Person, StepScope, StepState
from tests.contracts.events import BROKEN, DAY, NOON, OPENED, mac
from tests.contracts.next_steps import done as outcome
from tests.contracts.next_steps import made
from tests.contracts.profile import ASKED, MODEL, ROLE
from tests.onboarding.features.streams import features
from tests.onboarding.interventions.making import message

FIRST = "first-steps"
JOURNEY = Path(f"examples/harbor/onboarding/journeys/{FIRST}.yaml").read_text(encoding="utf-8")
USER, VISITOR, ACCOUNT, GROUP = "ana", "v1", "acme", "people"
LATER = datetime(2027, 1, 1, tzinfo=NOON.tzinfo)
NOBODY: frozenset[str] = frozenset()
ALL = 10_000
DECISION = made(1).id
SUBJECTS = subjects_of(USER, (VISITOR,))


@dataclass(frozen=True, slots=True)
class Guided:
    """As `embark.onboarding_parts` has them."""

    log: SqlEventLog
    quarantine: SqlQuarantine
    keeping: SqlEventKeeping
    features: features_sql.SqlFeatures
    profiles: profile_sql.SqlProfiles
    graph: SqlGraph
    readiness: SqlReadiness
    progress: progress_sql.SqlProgress
    catalogues: SqlCatalogues
    steps: ranking_sql.SqlNextSteps
    champions: SqlChampions
    deliveries: interventions_sql.SqlDeliveries
    watches: SqlWatches
    silences: SqlSilences


def prepare(engine: Engine) -> None:
    upgrade_events(engine, NOON)
    for part in (features_sql, profile_sql, progress_sql, ranking_sql, interventions_sql):
        part.upgrade(engine)


def guided(engine: Engine) -> Guided:
    return Guided(
        log=SqlEventLog(engine, mac),
        quarantine=SqlQuarantine(engine),
        keeping=SqlEventKeeping(engine, mac),
        features=features_sql.SqlFeatures(engine),
        profiles=profile_sql.SqlProfiles(engine),
        graph=SqlGraph(engine),
        readiness=SqlReadiness(engine),
        progress=progress_sql.SqlProgress(engine),
        catalogues=SqlCatalogues(engine),
        steps=ranking_sql.SqlNextSteps(engine),
        champions=SqlChampions(engine),
        deliveries=interventions_sql.SqlDeliveries(engine),
        watches=SqlWatches(engine),
        silences=SqlSilences(engine),
    )


def ana(tenant: str) -> Person:
    return Person(tenant, USER, ACCOUNT)


def way(tenant: str) -> Enrolment:
    return Enrolment(ana(tenant), FIRST, 1, NOON)


async def live(stores: Guided, tenant: str, word: str) -> None:
    """Leaves the word in every store that can hold one."""
    for lived in (_does, _is_known, _walks, _is_told):
        await lived(stores, tenant, word)


async def _does(stores: Guided, tenant: str, word: str) -> None:
    path = {"context.page.path": Tagged(f"/{word}", OPENED.purposes)}
    event = replace(OPENED, tenant=tenant, name="Dashboard Created", fields=path)
    visit = replace(event, message_id="m2", user=None, anonymous=VISITOR)
    members = Membership(USER, ACCOUNT, NOON, True), Membership(USER, word, NOON, False)
    await stores.log.append(
        tenant,
        [
            Addition(visit),
            Addition(event, Link(VISITOR, USER, NOON, "m1"), members[0]),
            Addition(replace(event, message_id="m3", account=word), None, members[1]),
        ],
    )
    await stores.log.ack(tenant, GROUP, 1)
    await stores.quarantine.hold(tenant, [replace(BROKEN, name=word)])
    await FeatureUpdater(stores.log, stores.features, features(), tenant).catch_up()


async def _is_known(stores: Guided, tenant: str, word: str) -> None:
    await stores.profiles.add(tenant, [replace(ROLE, tenant=tenant, value=word)])
    await stores.profiles.ask(tenant, USER, replace(ASKED, session=word))
    await stores.profiles.ask(tenant, USER, ASKED)
    await stores.profiles.keep_model(tenant, USER, MODEL)
    edge = Edge(tenant, f"user:{USER}", "finished", f"step:{word}", "m1", NOON, USER)
    await stores.graph.add(tenant, inverses([edge]))
    await stores.readiness.add(tenant, NOON, {"word": word})


async def _walks(stores: Guided, tenant: str, word: str) -> None:
    begun = await stores.progress.enrol(replace(way(tenant), kit=f"{word}@1"))
    own = Done("own", word, StepState.DONE, NOON, by=USER, evidence=("m1",))
    shared = replace(own, step="shared", scope=StepScope.ACCOUNT)
    await stores.progress.complete(begun, [own, shared])
    await stores.progress.choose(tenant, USER, Mode.SIMPLE, NOON)
    await stores.progress.note(tenant, USER, GuideMark(word, 1, GuideState.SHOWN, NOON, NOON))
    source = Source(FileKind.JOURNEY, FIRST, 1, f"{JOURNEY}# {word}\n")
    await stores.catalogues.publish(tenant, Draft((source,), word, NOON, word), None)
    decision = replace(made(1, USER, tenant), policy=word)
    await stores.steps.add(decision)
    await stores.steps.note(outcome(decision, word))
    await stores.steps.note(never(decision, "connect", NOON))
    await stores.champions.promote(tenant, "ranker", "v1", word, "gate.passed", NOON)
    await stores.silences.heard(tenant, {Person(tenant, USER, word): NOON})


async def _is_told(stores: Guided, tenant: str, word: str) -> None:
    person = ana(tenant)
    first = message(person=person, template=word)
    await stores.deliveries.plan([first, message("other", person, template=word)], NOON)
    found = await stores.deliveries.delivery(tenant, first.id)
    assert found is not None
    claim = await stores.deliveries.claim(found, Standing(zone="Europe/Berlin"), NOON)
    assert isinstance(claim, Claim), claim
    await stores.deliveries.settle(claim.delivery, Sent("p1"), NOON, Random(1))
    for topic in (f"kind/{word}", "kind/tips"):
        await stores.deliveries.choose(person, Choice(topic, Wish.OPT_OUT, NOON))
    await stores.deliveries.hush(person, Silence.TYPING, LATER)
    await stores.deliveries.refuse(tenant, Channel.EMAIL, "mac", Reason.BOUNCED, NOON)

    def tried(held: Mapping[str, Held]) -> None:
        held[USER].tried["repeated_error", word] = [Tried("fix_it", NOON)]

    await stores.watches.change(tenant, [person], NOON, tried)


Look = Callable[[Guided, str], Awaitable[object]]


async def _tried(stores: Guided, tenant: str) -> object:
    def work(held: Mapping[str, Held]) -> object:
        return dict(held[USER].tried)

    return await stores.watches.change(tenant, [ana(tenant)], NOON, work)


async def _fields(stores: Guided, tenant: str) -> object:
    """Without numbers, which all tenants share."""
    return [each.event for each in await stores.log.read(tenant, "nobody", 0, ALL)]


async def _kept(stores: Guided, tenant: str) -> object:
    return [each.event for each in await stores.keeping.kept(tenant, USER)]


async def _sources(stores: Guided, tenant: str) -> object:
    return await stores.catalogues.published(tenant)


LOOKS: Mapping[str, Look] = {
    "product events": _fields,
    "history": lambda s, t: s.log.history(ana(t), NOON + DAY),
    "kept events": _kept,
    "visitors": lambda s, t: s.log.aliases(t, USER),
    "accounts": lambda s, t: s.log.accounts(t, USER),
    "reader": lambda s, t: s.log.position(t, GROUP),
    "quarantine": lambda s, t: s.quarantine.held(t),
    "reasons": lambda s, t: s.quarantine.reasons(t),
    "event residue": lambda s, t: s.keeping.residue(t, USER),
    "features": lambda s, t: s.features.states(t, features().spec, SUBJECTS),
    "facts": lambda s, t: s.profiles.facts(t, USER),
    "questions": lambda s, t: s.profiles.asked(t, USER),
    "self model": lambda s, t: s.profiles.model(t, USER),
    "graph": lambda s, t: s.graph.of(t, USER),
    "walk": lambda s, t: s.graph.walk(t, Route(f"user:{USER}", ("finished",), NOON + DAY)),
    "readiness": lambda s, t: s.readiness.newest(t),
    "journeys": lambda s, t: s.progress.export(t, USER),
    "done": lambda s, t: s.progress.done(way(t)),
    "mode": lambda s, t: s.progress.mode(t, USER),
    "guides": lambda s, t: s.progress.guides(t, USER),
    "releases": lambda s, t: s.catalogues.releases(t),
    "sources": _sources,
    "decided": lambda s, t: s.steps.decision(t, DECISION),
    "decided of": lambda s, t: s.steps.decisions_of(t, USER),
    "outcomes": lambda s, t: s.steps.outcomes_of(t, USER),
    "mutes": lambda s, t: s.steps.mutes(t, USER),
    "champions": lambda s, t: s.champions.moves(t, "ranker"),
    "silences": lambda s, t: s.silences.of(t, USER),
    "deliveries": lambda s, t: s.deliveries.deliveries(t, Wanted()),
    "told": lambda s, t: s.deliveries.rows(t, USER),
    "choices": lambda s, t: s.deliveries.choices(ana(t)),
    "tried": _tried,
}
"""What a tenant can read, by name."""
SILENT = {"visitors", "reader", "event residue", "features", "self model", "mode", "mutes"}
"""Views that hold no word of anybody."""


async def harm(stores: Guided, tenant: str) -> None:
    """Everything that a tenant can change or take away: first what is changed, then what ends."""
    for harmed in (_harm_profile, _harm_ways, _harm_messages, _harm_events):
        await harmed(stores, tenant)


async def _harm_events(stores: Guided, tenant: str) -> None:
    await stores.log.ack(tenant, GROUP, 2)
    await stores.quarantine.release(tenant, [BROKEN.message_id])
    await stores.features.leave(tenant, USER, [ACCOUNT])
    await stores.features.drop(tenant, SUBJECTS)
    await stores.log.unmerge(tenant, VISITOR)
    await stores.keeping.sweep(tenant, Due(NOON - DAY, {"Dashboard Created": LATER}), 1)
    await stores.keeping.sweep_quarantine(tenant, LATER, (), ALL)
    await stores.keeping.sweep_messages(tenant, LATER)
    await stores.keeping.forget(tenant, USER, NOON + DAY)


async def _harm_profile(stores: Guided, tenant: str) -> None:
    await stores.profiles.reply(tenant, USER, ASKED.session, ASKED.question, Reply.SKIPPED)
    await stores.profiles.keep_model(tenant, USER, replace(MODEL, at=LATER))
    await stores.graph.end(tenant, USER, "finished", "step:none", LATER)
    await stores.profiles.remove(tenant, USER, ["role"])
    for places in (stores.profiles, stores.graph):
        await places.withdraw(tenant, USER, Purpose.PRODUCT_ANALYTICS)
        await places.sweep(tenant, LATER, NOBODY, ALL)
        await places.erase(tenant, USER)


async def _harm_ways(stores: Guided, tenant: str) -> None:
    await stores.progress.mark(way(tenant), Marks(reached_at=NOON + DAY))
    await stores.progress.choose(tenant, USER, Mode.ADVANCED, LATER)
    await stores.progress.sweep(tenant, NOON - DAY, NOBODY, ALL)
    await stores.progress.erase(tenant, USER)
    second = Source(FileKind.JOURNEY, "second", 1, "other")
    await stores.catalogues.publish(tenant, Draft((second,), "ops", NOON, "note"), 1)
    await stores.catalogues.switch(tenant, Switch(1, "ops", NOON, "why"))
    await stores.steps.undo(tenant, USER, "connect")
    await stores.steps.sweep(tenant, LATER, NOBODY, 1)
    await stores.steps.erase(tenant, USER)
    await stores.champions.rollback(tenant, "ranker", "ops", "why", NOON)
    await stores.silences.claim(tenant, LATER, Pace())
    await stores.silences.erase(tenant, USER)


async def _harm_messages(stores: Guided, tenant: str) -> None:
    person = ana(tenant)
    await stores.deliveries.tell(tenant, "p1", State.SEEN, None, NOON)
    await stores.deliveries.achieve(person, None, NOON, DAY)
    await stores.deliveries.leave(person, None, Reason.GOAL_REACHED, NOON)
    await stores.deliveries.unchoose(person, Choice("kind/tips", Wish.OPT_OUT, NOON))
    await stores.deliveries.hush(person, Silence.TYPING, NOON)
    await stores.deliveries.accept(tenant, Channel.EMAIL, "mac")
    await stores.watches.age(tenant, LATER, NOBODY, ALL)
    await stores.deliveries.age(tenant, LATER, NOBODY, 1)
    await stores.deliveries.erase(tenant, USER)
