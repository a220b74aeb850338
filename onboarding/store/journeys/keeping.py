"""Journeys as one of the places that keep something of a person, and for how long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

import orjson

from guardrails.refs import stamp
from onboarding.journeys import GuideMark
from onboarding.store.journeys.store import ProgressStore, Record
from onboarding.types import Mode

BLOCK = 500


class PersonalJourneys:
    """What a person did for their account stays done; that it was them does not."""

    name = "journeys"

    def __init__(self, store: ProgressStore) -> None:
        self._store = store

    async def export(self, tenant: str, subject: str) -> AsyncIterator[str]:
        mode = await self._store.mode(tenant, subject)
        if mode is not None:
            yield orjson.dumps({"mode": Mode(mode).value}).decode()
        for mark in await self._store.guides(tenant, subject):
            yield orjson.dumps(_seen(mark)).decode()
        for record in await self._store.export(tenant, subject):
            yield orjson.dumps(_document(record)).decode()

    async def erase(self, tenant: str, subject: str) -> int:
        return await self._store.erase(tenant, subject)

    async def residue(self, tenant: str, subject: str) -> int:
        return await self._store.count(tenant, subject)


class AgingJourneys:
    """An `Aging` of retention: ways by their end, or by their beginning where they have none."""

    name = "journeys"

    def __init__(self, store: ProgressStore) -> None:
        self._store = store

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = BLOCK
    ) -> int:
        return await self._store.sweep(tenant, before, keep, limit)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        return await self._store.due(tenant, before, keep)


def _seen(mark: GuideMark) -> dict[str, object]:
    return {
        "guide": f"{mark.guide}@{mark.version}",
        "state": mark.state.value,
        "stop": mark.stop,
        "shown_at": stamp(mark.shown_at),
        "at": stamp(mark.at),
    }


def _document(record: Record) -> dict[str, object]:
    way = record.enrolment
    times = {
        name: stamp(at)
        for name in ("started_at", "reached_at", "finished_at", "left_at")
        if (at := getattr(way, name)) is not None
    }
    steps = [
        {
            "step": each.step,
            "action": each.action,
            "state": each.state.value,
            "at": stamp(each.at),
            "scope": each.scope.value,
            "evidence": list(each.evidence),
        }
        for each in record.done
    ]
    return {"journey": way.ref, "entry": way.entry, "kit": way.kit, **times, "steps": steps}
