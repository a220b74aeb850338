"""The record in memory: the twin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from guardrails.decisions.record import (
    EVERYTHING,
    PAGE,
    Added,
    Cursor,
    Page,
    Recorded,
    Wanted,
    in_order,
    nameless,
    own,
)
from guardrails.decisions.types import Decision, Kind, OutcomeUpdate, Place, Row
from guardrails.refs import stamp
from guardrails.tenancy import EVERYBODY


class MemoryDecisions:
    """Keeps nothing beyond the process."""

    def __init__(self, pseudonym: Callable[[], str] = nameless) -> None:
        self._decisions: dict[tuple[str, str], Decision] = {}
        self._updates: dict[tuple[str, str], OutcomeUpdate] = {}
        self._pseudonym = pseudonym

    async def add(self, tenant: str, rows: Sequence[Row]) -> Added:
        decisions, updates = own(tenant, rows)
        before = len(self._decisions) + len(self._updates)
        for decision in decisions:
            self._decisions.setdefault((tenant, decision.id), decision)
        followed = [u for u in updates if (tenant, u.decision_id) in self._decisions]
        for update in followed:
            self._updates.setdefault((tenant, update.id), update)
        new = len(self._decisions) + len(self._updates) - before
        orphans = len(updates) - len(followed)
        return Added(new, len(rows) - orphans - new, orphans)

    async def get(self, tenant: str, id: str) -> Recorded | None:
        decision = self._decisions.get((tenant, id))
        return None if decision is None else self._recorded(decision)

    async def query(
        self,
        tenant: str,
        wanted: Wanted = EVERYTHING,
        *,
        after: Cursor | None = None,
        limit: int = PAGE,
    ) -> Page:
        found = [d for d in self._decisions.values() if d.tenant == tenant and _meets(d, wanted)]
        found.sort(key=_place, reverse=True)
        if after is not None:
            found = [d for d in found if _place(d) < (stamp(after.at), after.id)]
        rows = tuple(self._recorded(decision) for decision in found[:limit])
        last = found[limit - 1] if len(found) > limit else None
        return Page(rows, None if last is None else Cursor(last.at, last.id))

    async def erase(self, tenant: str, subject: str) -> int:
        theirs = [d for d in self._decisions.values() if (d.tenant, d.subject) == (tenant, subject)]
        name = self._pseudonym()
        for decision in theirs:
            gone = replace(decision, subject=name, place=Place())
            self._decisions[tenant, decision.id] = gone
        return len(theirs)

    async def sweep(
        self,
        tenant: str,
        kind: Kind,
        before: datetime,
        limit: int = 1000,
        keep: frozenset[str] = frozenset(),
    ) -> int:
        due = self._due(tenant, kind, before, keep)
        gone = {(d.tenant, d.id) for d in sorted(due, key=_place)[:limit]}
        for key in gone:
            del self._decisions[key]
        self._updates = {
            key: update
            for key, update in self._updates.items()
            if (update.tenant, update.decision_id) not in gone
        }
        return len(gone)

    async def due(
        self, tenant: str, kind: Kind, before: datetime, keep: frozenset[str] = frozenset()
    ) -> int:
        return len(self._due(tenant, kind, before, keep))

    def _due(
        self, tenant: str, kind: Kind, before: datetime, keep: frozenset[str]
    ) -> list[Decision]:
        return [
            d
            for d in self._decisions.values()
            if tenant in (EVERYBODY, d.tenant)
            and d.kind is kind
            and d.at < before
            and d.subject not in keep
        ]

    def _recorded(self, decision: Decision) -> Recorded:
        key = (decision.tenant, decision.id)
        updates = [u for u in self._updates.values() if (u.tenant, u.decision_id) == key]
        return Recorded(decision, in_order(updates))


def _place(decision: Decision) -> tuple[str, str]:
    return stamp(decision.at), decision.id


def _meets(decision: Decision, wanted: Wanted) -> bool:
    return (
        wanted.kind in (None, decision.kind)
        and wanted.subject in (None, decision.subject)
        and wanted.thread_id in (None, decision.place.thread_id)
        and (wanted.since is None or wanted.since <= decision.at)
        and (wanted.until is None or decision.at < wanted.until)
    )
