"""What the rest of the product asks of profiles: read, learn, edit, ask.

    profile  facts that are kept -> those that may be used now -> Profile, read anew each time
    learn    events -> inferred facts, beliefs, edges; what is new is kept
    edit     a declared fact, which wins over any inference from the next reading on

Each reading asks what the person consents to, at most 60 s old; what is not allowed any more is
left out at once and deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime

import structlog

from guardrails.consent import Consents, Purpose
from onboarding.profile.beliefs import BELIEF, SelfModel, fact_of, self_model
from onboarding.profile.errors import NoSuchFactError, NoSuchValueError, NotAskedError
from onboarding.profile.evidence import Known
from onboarding.profile.graph import SINGLE, Edge
from onboarding.profile.growing import edges_of, edges_of_belief, solved
from onboarding.profile.holding import (
    DELETED,
    NO,
    OFF,
    PAGE,
    QUIET,
    UNASKED,
    YES,
    declared,
    is_wish,
    profile_of,
    wishes_of,
)
from onboarding.profile.inferring import infer, news
from onboarding.profile.keeping import StoredModel
from onboarding.profile.questions import (
    Asked,
    Offer,
    Reply,
    evidence_of,
    may_ask_at_all,
    next_question,
    open_questions,
)
from onboarding.profile.telling import Words, tell
from onboarding.store.profile.parts import (
    Learned,
    Page,
    ProfileParts,
    moment_of,
    still_open,
    with_priors,
)
from onboarding.types import Event, Fact, History, Person, Profile, Snapshot, Source

_log = structlog.get_logger(__name__)


class ProfileDesk:
    """One per process. Raises StoreUnavailableError from all."""

    def __init__(self, parts: ProfileParts, clock: Callable[[], datetime]) -> None:
        self._parts = parts
        self._clock = clock

    @property
    def words(self) -> Words:
        return self._parts.words

    async def profile(self, person: Person) -> Profile:
        """Empty without consent, and where personalisation is off."""
        now = self._clock()
        _, facts = await self._allowed(person)
        return profile_of(facts, now)

    async def guided(self, person: Person) -> Profile | None:
        """None where nothing of them may be used: without consent, or switched off."""
        consents, facts = await self._allowed(person)
        if wishes_of(facts).off or not consents.allows(Purpose.PRODUCT_ANALYTICS):
            return None
        return profile_of(facts, self._clock())

    async def learn(
        self, person: Person, history: History, snapshot: Snapshot | None = None
    ) -> Learned:
        """Infers again, and keeps what is new; the same events again change nothing."""
        now = self._clock()  # before reading: what is deleted meanwhile is newer than these facts
        consents, facts = await self._allowed(person)
        known = Known(person, history, snapshot, facts, consents)
        model = self_model(known, self._parts.words.beliefs, now)
        if not _may_infer(known):
            return Learned(profile_of(facts, now), model, 0)
        kinds = self._parts.words.beliefs
        beliefs = [fact_of(b, known, kinds) for b in model.beliefs if not b.declared]
        await self._forget_beliefs(known, {fact.name for fact in beliefs})
        found = [*infer(known, self._parts.mind, now), *beliefs]
        fresh = news(found, _inferred(facts), now)
        await self._keep(person, fresh, StoredModel(now, model))
        return Learned(profile_of((*facts, *fresh), now), model, len(fresh))

    async def grow(self, event: Event, earlier: Sequence[Event] = ()) -> int:
        """The graph by one event; `earlier` are those of the same person, oldest first. How many
        edges are new: none for an event that came before."""
        if event.user is None:
            return 0
        consents = await self._parts.consents.of(event.tenant, event.user)
        facts = await self._parts.store.facts(event.tenant, event.user)
        edges: list[Edge] = []
        if not wishes_of(facts).off and consents.allows(Purpose.PRODUCT_ANALYTICS):
            edges = edges_of(event, self._parts.edges, consents)
            edges += solved(event, earlier, self._parts.edges)
            await self._replace(edges)
        return await self._parts.graph.add(event.tenant, edges) if edges else 0

    async def _replace(self, new: Sequence[Edge]) -> None:
        """Of what a person has one at a time the older ends."""
        graph = self._parts.graph
        for edge in new:
            if edge.rel not in SINGLE or edge.subject is None:
                continue
            for old in await graph.of(edge.tenant, edge.subject):
                before = old.valid_to is None and old.valid_from <= edge.valid_from
                if old.rel == edge.rel and old.dst != edge.dst and before:
                    at = edge.valid_from
                    await graph.end(edge.tenant, edge.subject, old.rel, old.dst, at)

    async def page(self, person: Person, locale: str = "en") -> Page:
        """All that is known and thought of them, in plain words."""
        _, facts = await self._allowed(person)
        stored = await self._parts.store.model(person.tenant, person.user)
        now = self._clock()
        history = await self._parts.history(person, now) if facts else History()
        told = tell(facts, self._parts.words, now, locale, history.recent)
        model = stored.model if stored is not None else SelfModel()
        return Page(told, model.alignment, model.trusted, facts)

    async def correct(self, person: Person, name: str, value: str) -> None:
        """Raises NoSuchFactError, NoSuchValueError."""
        if value not in self._choices(name):
            raise NoSuchValueError(name, self._choices(name))
        await self._say(person, name, value)

    async def delete(self, person: Person, name: str) -> int:
        """How many statements went. It comes back on newer events alone. Raises NoSuchFactError."""
        self._choices(name)
        await self._say(person, DELETED + name, YES)
        return await self._parts.store.remove(person.tenant, person.user, [name])

    async def allow_inference(self, person: Person, name: str, *, allowed: bool) -> None:
        """Raises NoSuchFactError."""
        self._choices(name)
        await self._say(person, QUIET + name, NO if allowed else YES)
        if not allowed:
            who = (person.tenant, person.user)
            await self._parts.store.remove(*who, [name], Source.INFERRED)

    async def allow_question(self, person: Person, name: str, *, allowed: bool) -> None:
        """Raises NoSuchFactError."""
        self._choices(name)
        await self._say(person, UNASKED + name, NO if allowed else YES)

    async def personalise(self, person: Person, *, on: bool) -> None:
        """Off: nothing is inferred, and what is stored is not used, until it is on again."""
        await self._say(person, OFF, NO if on else YES)

    async def take_import(self, person: Person, values: Mapping[str, str]) -> int:
        """From the host's CRM; without consent nothing is kept. Raises NoSuchFactError,
        NoSuchValueError."""
        for name, value in values.items():
            if value not in self._choices(name):
                raise NoSuchValueError(name, self._choices(name))
        consents = await self._parts.consents.of(person.tenant, person.user)
        if not consents.allows(Purpose.PRODUCT_ANALYTICS):
            return 0
        now, who = self._clock(), (person.tenant, person.user)
        facts = [
            Fact(*who, name, value, 1.0, Source.IMPORTED, now, made_by="import")
            for name, value in values.items()
        ]
        return await self._parts.store.add(person.tenant, facts)

    async def asked(self, person: Person) -> tuple[Asked, ...]:
        """Questions that were put to them, oldest first."""
        return await self._parts.store.asked(person.tenant, person.user)

    async def question(
        self,
        person: Person,
        session: str,
        *,
        onboarding: bool = True,
        rights: AbstractSet[str] | None = None,
    ) -> Offer | None:
        """The one to ask now; the same one again while it is open in this session. `rights` are
        those of the host; None: the product says what they may do."""
        consents, facts = await self._allowed(person)
        wishes = wishes_of(facts)
        if wishes.off or not consents.allows(Purpose.PRODUCT_ANALYTICS):
            return None
        now = self._clock()
        profile = profile_of(facts, now)
        asked = await self.asked(person)
        again = still_open(self._parts.questions, profile, asked, session)
        if again is not None:
            return again
        file = self._parts.questions.without(wishes.unasked)
        file = open_questions(profile, file, asked, now)
        if not file.questions or not may_ask_at_all(file, asked, session, onboarding=onboarding):
            return None
        moment = await moment_of(self._parts, person, profile, file, now, rights)
        moment = replace(moment, session=session, onboarding=onboarding)
        weighed = with_priors(profile, self._parts.mind)
        offer = next_question(weighed, file, moment, asked, now)
        if offer is not None:
            put = Asked(offer.worth.question.id, session, now)
            await self._parts.store.ask(person.tenant, person.user, put)
        return offer

    async def reply(
        self,
        person: Person,
        session: str,
        question: str,
        value: str | None,
        *,
        never: bool = False,
    ) -> None:
        """None skips it, `never` for good. Raises NotAskedError, NoSuchValueError."""
        asked = self._parts.questions.named(question)
        if asked is None:
            raise NotAskedError(question)
        if value is not None and value not in self._choices(asked.fact):
            raise NoSuchValueError(asked.fact, self._choices(asked.fact))
        reply = Reply.SKIPPED if value is None else Reply.ANSWERED
        who = (person.tenant, person.user)
        if not await self._parts.store.reply(*who, session, question, reply):
            raise NotAskedError(question)
        if value is not None:
            shown = evidence_of(question, session)
            await self._say(person, asked.fact, value, shown, f"question/{question}")
        elif never:
            await self._say(person, UNASKED + asked.fact, YES)

    async def sweep_withdrawn(self, tenant: str) -> int:
        """Deletes what people do not allow any more; run it each half minute. How many rows."""
        gone, after = 0, ""
        while names := await self._parts.store.subjects(tenant, after):
            for subject in names:
                facts = await self._parts.store.facts(tenant, subject)
                consents = await self._parts.consents.of(tenant, subject)
                gone += await self._withdraw(Person(tenant, subject), facts, consents)
            after = names[-1]
        return gone

    async def _allowed(self, person: Person) -> tuple[Consents, tuple[Fact, ...]]:
        consents = await self._parts.consents.of(person.tenant, person.user)
        facts = await self._parts.store.facts(person.tenant, person.user)
        allowed = tuple(f for f in facts if is_wish(f) or consents.allows(f.purpose))
        if len(allowed) < len(facts):
            await self._withdraw(person, facts, consents)
        return consents, allowed

    async def _withdraw(self, person: Person, facts: Sequence[Fact], consents: Consents) -> int:
        """Product analytics is withdrawn in the graph too, whatever facts are left."""
        serving = {fact.purpose for fact in facts if not is_wish(fact)}
        over = {p for p in (*serving, Purpose.PRODUCT_ANALYTICS) if not consents.allows(p)}
        gone = 0
        for purpose in sorted(over):
            gone += await self._parts.store.withdraw(person.tenant, person.user, purpose)
            gone += await self._parts.graph.withdraw(person.tenant, person.user, purpose)
        if gone:
            _log.info("profile.withdrawn", rows=gone)
        return gone

    async def _forget_beliefs(self, known: Known, held: set[str]) -> None:
        """Beliefs that are not held any more, or that failed their tests."""
        stored = {f.name for f in known.facts if f.source is Source.INFERRED}
        stale = [name for name in stored if name.startswith(BELIEF) and name not in held]
        if stale:
            who = (known.person.tenant, known.person.user)
            await self._parts.store.remove(*who, stale, Source.INFERRED)

    async def _keep(self, person: Person, fresh: Sequence[Fact], stored: StoredModel) -> None:
        if fresh:
            await self._parts.store.add(person.tenant, fresh)
        if stored.model != SelfModel():
            await self._parts.store.keep_model(person.tenant, person.user, stored)
        beliefs = [fact for fact in fresh if fact.name.startswith(BELIEF)]
        edges = [edge for fact in beliefs for edge in edges_of_belief(fact)]
        if edges:
            await self._parts.graph.add(person.tenant, edges)

    async def _say(
        self, person: Person, name: str, value: str, evidence: str = "", made_by: str = PAGE
    ) -> None:
        shown = (evidence,) if evidence else ()
        said = declared(person, name, value, self._clock(), shown, made_by)
        await self._parts.store.add(person.tenant, [said])

    def _choices(self, name: str) -> tuple[str, ...]:
        choices = self._parts.words.choices(name)
        if choices is None:
            raise NoSuchFactError(name)
        return choices


def _may_infer(known: Known) -> bool:
    allowed = known.consents.allows(Purpose.PRODUCT_ANALYTICS)
    return allowed and not wishes_of(known.facts).off


def _inferred(facts: Sequence[Fact]) -> dict[str, Fact]:
    """The newest by name."""
    return {f.name: f for f in facts if f.source is Source.INFERRED}  # oldest first: the last stays
