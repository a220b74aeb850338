"""How things stand with a message that is about to go out: its journey, person and group."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import structlog

from guardrails.consent import Purpose
from guardrails.store import StoreUnavailableError
from onboarding.engine.moments import Moments
from onboarding.interventions import Message
from onboarding.interventions import Standing as Asked
from onboarding.journeys import Enrolment, Journey, Leave, in_audience
from onboarding.journeys.sending import due_sends
from onboarding.rules import Moment, is_known, is_settled
from onboarding.store.journeys.current import CurrentCatalogues, version_of
from onboarding.store.journeys.desk import JourneyDesk, Standing
from onboarding.store.journeys.store import ProgressStore

OUTSIDE: Final = frozenset({"friction"})
"""What plans messages without being a journey: a file's name never begins so."""
_log = structlog.get_logger(__name__)


class Permits(Protocol):
    """Who consents now; nobody while nobody can be asked."""

    async def who_may(
        self, tenant: str, subjects: Collection[str], purpose: Purpose
    ) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True)
class StandingParts:
    permission: Permits
    moments: Moments
    journeys: JourneyDesk
    progress: ProgressStore
    catalogues: CurrentCatalogues


class JourneyStandings:
    """Asked before every message. What the product alone knows is not asked for: a rule on such a
    state counts as it did when the message was planned."""

    def __init__(self, parts: StandingParts) -> None:
        self._parts = parts

    async def of_all(self, messages: Sequence[Message], now: datetime) -> tuple[Asked | None, ...]:
        """None while the database does not answer. Consents of all are read together."""
        asked: dict[tuple[str, Purpose], set[str]] = defaultdict(set)
        for message in messages:
            asked[message.person.tenant, message.purpose].add(message.person.user)
        allowing = {
            (tenant, purpose): await self._parts.permission.who_may(tenant, users, purpose)
            for (tenant, purpose), users in asked.items()
        }
        return tuple(
            await asyncio.gather(
                *(
                    self._one(m, now, m.person.user in allowing[m.person.tenant, m.purpose])
                    for m in messages
                )
            )
        )

    async def _one(self, message: Message, now: datetime, allowed: bool) -> Asked | None:
        if not allowed or message.journey.split(".")[0] in OUTSIDE:
            return Asked(consented=allowed)
        try:
            return await self._of_journey(message, now)
        except StoreUnavailableError:
            return None

    async def _of_journey(self, message: Message, now: datetime) -> Asked:
        parts, person = self._parts, message.person
        named = version_of(message.journey)
        if named is None:
            _log.error("messages.bad_journey_reference", journey=message.journey)
            return Asked(journey_left=True)
        known = await parts.progress.of(person.tenant, person.user)
        mine = [e for e in known if (e.journey, e.entry) == (named.name, message.entry)]
        journey = await parts.catalogues.journey(person.tenant, *named)
        moment = await parts.moments.of(person, now)
        if not mine or journey is None or moment is None:
            return Asked(journey_left=True, consented=moment is not None)
        owner = await self._owner(message, known)
        return await self._looked_at(message, mine[-1], journey, moment, owner)

    async def _looked_at(
        self,
        message: Message,
        enrolment: Enrolment,
        journey: Journey,
        moment: Moment,
        owner: str | None,
    ) -> Asked:
        standing = await self._parts.journeys.look(enrolment, moment)
        if standing is None:
            return Asked(journey_left=True)
        now_on, progress = standing.enrolment, standing.progress
        return Asked(
            goal_reached=progress.reached_at is not None and Leave.GOAL in journey.exit,
            journey_left=now_on.left_at is not None,
            step_done=now_on.finished_at is not None or not _still_due(message, standing, moment),
            in_audience=_in_audience(journey, moment),
            arm_unchanged=dict(message.arms) == dict(moment.arms),
            owner=owner,
        )

    async def _owner(self, message: Message, known: Sequence[Enrolment]) -> str | None:
        """Of those that the person is on: the most urgent of the group, then the earliest."""
        if message.exclusive is None:
            return None
        running: list[tuple[int, datetime, str]] = []
        for enrolment in known:
            tenant = enrolment.person.tenant
            if not enrolment.is_running:
                continue
            journey = await self._parts.catalogues.journey(
                tenant, enrolment.journey, enrolment.version
            )
            if journey is not None and journey.exclusive == message.exclusive:
                running.append((journey.priority, enrolment.started_at, enrolment.ref))
        return min(running)[2] if running else None


def _in_audience(journey: Journey, moment: Moment) -> bool:
    """Whoever may not leave stays; so does everybody of whom not enough is known."""
    if Leave.AUDIENCE_LEFT not in journey.exit or not is_settled(journey.audience, moment):
        return True
    return in_audience(journey, moment)


def _still_due(message: Message, standing: Standing, moment: Moment) -> bool:
    """Its own rule, and what comes before it, hold still."""
    step = standing.composed.journey.step(_step_of(message.step))
    if step is not None and not is_known(step.when, moment):
        return True
    due = due_sends(standing.composed, standing.enrolment, standing.progress, moment)
    return any(each.key == message.step for each in due)


def _step_of(key: str) -> str:
    """Repeated messages count up behind a point."""
    return key.partition(".")[0]
