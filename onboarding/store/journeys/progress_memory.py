"""Progress in memory: the twin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from onboarding.journeys import Done, Enrolment, GuideMark, Moved, Way, merged, renamed
from onboarding.store.journeys.guide_rows import mark_row
from onboarding.store.journeys.merging import better, merged_records, next_entry, running_of
from onboarding.store.journeys.rows import ACCOUNT, USER, done_row, enrolment_row
from onboarding.store.journeys.store import MOST_WAYS, Marks, Record
from onboarding.types import Mode, Person, StepScope, StepState

Owner = tuple[str, str, str, str, int]
"""Tenant, kind of owner, owner, journey, entry."""
_Key = tuple[str, str, str, int]


class MemoryProgress:
    """Keeps nothing beyond the process."""

    def __init__(self) -> None:
        self._enrolments: dict[_Key, Enrolment] = {}
        self._done: dict[tuple[Owner, str], Done] = {}
        self._modes: dict[tuple[str, str], tuple[datetime, Mode]] = {}
        self._guides: dict[tuple[str, str, str], GuideMark] = {}

    async def enrol(self, wanted: Enrolment) -> Enrolment:
        enrolment_row(wanted)  # refuses what SQL refuses
        known = self._of(wanted.person.tenant, wanted.person.user)
        running = running_of(known, wanted.journey)
        if running is None:
            running = replace(wanted, entry=next_entry(known, wanted.journey))
            self._enrolments[_key(running)] = running
        return running

    async def of(self, tenant: str, user: str) -> tuple[Enrolment, ...]:
        return tuple(self._of(tenant, user))

    async def mark(self, enrolment: Enrolment, marks: Marks) -> Enrolment:
        known = self._enrolments.get(_key(enrolment))
        if known is None:
            return enrolment
        stands = replace(
            known,
            reached_at=known.reached_at or marks.reached_at,
            finished_at=known.finished_at or marks.finished_at,
            left_at=known.left_at or marks.left_at,
            left_why=known.left_why or marks.left_why,
        )
        self._enrolments[_key(enrolment)] = stands
        return stands

    async def complete(self, enrolment: Enrolment, done: Sequence[Done]) -> None:
        self._put(enrolment, done)

    async def done(self, enrolment: Enrolment) -> tuple[Done, ...]:
        return tuple(self._all_steps(enrolment))

    async def move(self, moved: Moved) -> bool:
        known = self._enrolments.get(_key(moved.before))
        if known is None or known.version != moved.before.version or not known.is_running:
            return False
        kept = merged(renamed(self._take(known), moved), ())
        self._enrolments[_key(known)] = replace(known, version=moved.after.version)
        self._put(known, kept)
        return True

    async def mode(self, tenant: str, user: str) -> Mode | None:
        known = self._modes.get((tenant, user))
        return known[1] if known is not None else None

    async def choose(self, tenant: str, user: str, mode: Mode, at: datetime) -> None:
        known = self._modes.get((tenant, user))
        if known is None or known[0] <= at:
            self._modes[tenant, user] = (at, mode)

    async def guides(self, tenant: str, user: str) -> tuple[GuideMark, ...]:
        return tuple(self._guides[key] for key in self._seen(tenant, user))

    async def note(self, tenant: str, user: str, mark: GuideMark) -> GuideMark:
        mark_row(tenant, user, mark)  # refuses what SQL refuses
        known = self._guides.get((tenant, user, mark.guide))
        stands = known.with_(mark) if known is not None else mark
        self._guides[tenant, user, mark.guide] = stands
        return stands

    async def merge(self, tenant: str, old: str, new: str) -> int:
        mine, theirs = self._records(tenant, new), self._records(tenant, old)
        self._hand_over(tenant, old, new)
        if theirs:
            accounts = [each.enrolment.person.account for each in mine]
            account = next((each for each in accounts if each is not None), None)
            self._forget(tenant, old)
            self._forget(tenant, new)
            for record in merged_records(mine, theirs, Person(tenant, new, account)):
                self._enrolments[_key(record.enrolment)] = record.enrolment
                self._put(record.enrolment, record.done)
        return len(theirs)

    async def running(self, tenant: str) -> Mapping[str, int]:
        refs = (e.ref for e in self._enrolments.values() if _runs(e, tenant))
        return dict(sorted(Counter(refs).items()))

    async def ways(self, tenant: str, journey: str, limit: int = MOST_WAYS) -> tuple[Way, ...]:
        found = [
            e
            for e in self._enrolments.values()
            if (e.person.tenant, e.journey) == (tenant, journey)
        ]
        newest = sorted(found, key=lambda e: e.person.user)
        newest.sort(key=lambda e: e.started_at, reverse=True)
        return tuple(self._way(each) for each in newest[:limit])

    async def export(self, tenant: str, user: str) -> tuple[Record, ...]:
        return tuple(self._records(tenant, user))

    async def erase(self, tenant: str, user: str) -> int:
        gone = self._forget(tenant, user)
        for key, done in list(self._done.items()):
            if key[0][:2] == (tenant, ACCOUNT) and done.by == user:
                self._done[key] = replace(done, by=None, evidence=())
                gone += 1
        for seen in self._seen(tenant, user):
            del self._guides[seen]
            gone += 1
        return gone + (self._modes.pop((tenant, user), None) is not None)

    async def count(self, tenant: str, user: str) -> int:
        named = sum(
            owner[:3] == (tenant, USER, user) or (owner[0] == tenant and done.by == user)
            for (owner, _), done in self._done.items()
        )
        named += len(self._of(tenant, user)) + len(self._seen(tenant, user))
        return named + ((tenant, user) in self._modes)

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = 500
    ) -> int:
        old = sorted(self._old(tenant, before, keep), key=_ended)[:limit]
        for each in old:
            self._take(each)
            del self._enrolments[_key(each)]
        unseen = self._unseen(tenant, before, keep)[:limit]
        for key in unseen:
            del self._guides[key]
        return len(old) + len(unseen)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        return len(self._old(tenant, before, keep)) + len(self._unseen(tenant, before, keep))

    def _seen(self, tenant: str, user: str) -> list[tuple[str, str, str]]:
        return sorted(key for key in self._guides if key[:2] == (tenant, user))

    def _unseen(
        self, tenant: str, before: datetime, keep: frozenset[str]
    ) -> list[tuple[str, str, str]]:
        old = [
            key
            for key, mark in self._guides.items()
            if key[0] == tenant and key[1] not in keep and mark.at < before
        ]
        return sorted(old, key=lambda key: self._guides[key].at)

    def _of(self, tenant: str, user: str) -> list[Enrolment]:
        mine = [
            e
            for e in self._enrolments.values()
            if (e.person.tenant, e.person.user) == (tenant, user)
        ]
        return sorted(mine, key=lambda e: (e.started_at, e.journey, e.entry))

    def _old(self, tenant: str, before: datetime, keep: frozenset[str]) -> list[Enrolment]:
        mine = (e for e in self._enrolments.values() if e.person.tenant == tenant)
        return [e for e in mine if e.person.user not in keep and _ended(e) < before]

    def _records(self, tenant: str, user: str) -> list[Record]:
        return [Record(each, tuple(self._steps(each))) for each in self._of(tenant, user)]

    def _steps(self, enrolment: Enrolment) -> list[Done]:
        own = _own(enrolment)
        return sorted((d for (o, _), d in self._done.items() if o == own), key=lambda d: d.step)

    def _take(self, enrolment: Enrolment) -> list[Done]:
        """Own steps, which are gone then."""
        steps = self._steps(enrolment)
        for each in steps:
            del self._done[_own(enrolment), each.step]
        return steps

    def _put(self, enrolment: Enrolment, done: Sequence[Done]) -> None:
        for each in done:
            row = done_row(enrolment, each)
            owner = (row["tenant"], row["owner_kind"], row["owner"], row["journey"], row["entry"])
            key = (owner, row["step"])
            scope = StepScope.ACCOUNT if row["owner_kind"] == ACCOUNT else StepScope.USER
            if better(self._done.get(key), each):
                self._done[key] = replace(each, step=row["step"], scope=scope)

    def _forget(self, tenant: str, user: str) -> int:
        own = [key for key in self._done if key[0][:3] == (tenant, USER, user)]
        ways = [_key(each) for each in self._of(tenant, user)]
        for key in own:
            del self._done[key]
        for way in ways:
            del self._enrolments[way]
        return len(own) + len(ways)

    def _hand_over(self, tenant: str, old: str, new: str) -> None:
        for key, done in list(self._done.items()):
            if key[0][:2] == (tenant, ACCOUNT) and done.by == old:
                self._done[key] = replace(done, by=new)
        for theirs in self._seen(tenant, old):
            mark = self._guides.pop(theirs)
            known = self._guides.get((tenant, new, mark.guide))
            self._guides[tenant, new, mark.guide] = known.with_(mark) if known else mark
        chosen = self._modes.pop((tenant, old), None)
        if chosen is not None:
            self._modes.setdefault((tenant, new), chosen)

    def _all_steps(self, enrolment: Enrolment) -> list[Done]:
        """Own ones, and the account's."""
        person = enrolment.person
        shared = (person.tenant, ACCOUNT, person.account or "", "", 0)
        owners = [_own(enrolment), *([shared] if person.account is not None else [])]
        found = [(step, o[1], d) for (o, step), d in self._done.items() if o in owners]
        return [each[2] for each in sorted(found, key=lambda each: each[:2])]

    def _way(self, enrolment: Enrolment) -> Way:
        user, begun = enrolment.person.user, enrolment.started_at
        steps = [
            each
            for each in self._all_steps(enrolment)
            if each.state is StepState.DONE and each.at >= begun
        ]
        own = {d.action for d in steps if d.scope is StepScope.USER or d.by == user}
        finished = (enrolment.reached_at or enrolment.finished_at) is not None
        return Way(begun, {each.action: each.at for each in steps}, finished, frozenset(own))


def _key(enrolment: Enrolment) -> _Key:
    person = enrolment.person
    return person.tenant, person.user, enrolment.journey, enrolment.entry


def _own(enrolment: Enrolment) -> Owner:
    person = enrolment.person
    return person.tenant, USER, person.user, enrolment.journey, enrolment.entry


def _runs(enrolment: Enrolment, tenant: str) -> bool:
    return enrolment.person.tenant == tenant and enrolment.is_running


def _ended(enrolment: Enrolment) -> datetime:
    return enrolment.finished_at or enrolment.left_at or enrolment.started_at
