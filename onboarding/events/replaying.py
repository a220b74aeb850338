"""Quarantine -> intake again, once contract or sender is mended. Doing it twice changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, JsonValue

from onboarding.events.intake import Intake
from onboarding.events.quarantine import ErasedError, Fix, Quarantine, Seal
from onboarding.events.verdicts import Quarantined, Result, Status
from onboarding.rules import read_data
from onboarding.types import EventKind

PAGE = 200
_TRAITS = frozenset({EventKind.IDENTIFY.value, EventKind.GROUP.value})


class FixEntry(BaseModel):
    """How the messages of one event are mended, as a file says it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    event: str | None = None
    version: str | None = None
    fields: dict[str, str | None] | None = None
    values: dict[str, JsonValue] | None = None


class FixFile(BaseModel):
    """`events`: by the name that was sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    events: dict[str, FixEntry]


@dataclass(slots=True)
class Replayed:
    """Messages by what became of them; `closed` are those of which only the shape was kept, or
    whose person was erased; `reasons` why others are still in quarantine."""

    counts: Counter[Status] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    closed: int = 0


def read_fixes(path: Path) -> dict[str, Fix]:
    """Raises DataFileError."""
    entries = read_data(path).parse(FixFile).events
    return {
        name: Fix(each.event, each.version, each.fields, each.values)
        for name, each in entries.items()
    }


@dataclass(frozen=True, slots=True)
class Replay:
    """Of one tenant."""

    tenant: str
    intake: Intake
    quarantine: Quarantine
    seal: Seal

    async def run(
        self, since: datetime, fixes: Mapping[str, Fix], now: datetime, name: str | None = None
    ) -> Replayed:
        """Of one event where it is named. Raises StoreUnavailableError; what was replayed until
        then is not lost, and is passed over the next time."""
        done = Replayed()
        after = ""
        while rows := await self.quarantine.held(self.tenant, since, after, PAGE):
            for row in rows:
                if name is None or row.name == name:
                    await self._one(row, fixes.get(row.name, Fix()), now, done)
            after = rows[-1].message_id
        return done

    async def _one(self, row: Quarantined, fix: Fix, now: datetime, done: Replayed) -> None:
        if row.sealed is None:
            done.closed += 1
            return
        try:
            plain = await self.seal.open(self.tenant, row.subject, row.sealed)
        except ErasedError:
            done.closed += 1
            return
        result = await self.intake.again(self.tenant, mended(orjson.loads(plain), fix), row, now)
        done.counts[result.status] += 1
        await self._settle(row, result, done)

    async def _settle(self, row: Quarantined, result: Result, done: Replayed) -> None:
        """What is stored left with its append; what may not be kept leaves now."""
        if result.status is Status.QUARANTINED:
            done.reasons.update(map(str, result.reasons))
        elif result.status in {Status.WITHHELD, Status.DUPLICATE}:
            await self.quarantine.release(self.tenant, [row.message_id])


def mended(raw: Mapping[str, Any], fix: Fix) -> dict[str, Any]:
    """A copy of the message."""
    message = dict(raw)
    if fix.event is not None:
        message["event"] = fix.event
    if fix.version is not None:
        context = dict(message.get("context") or {})
        context["protocols"] = {"event_version": fix.version}
        message["context"] = context
    if fix.fields or fix.values:
        place = "traits" if message.get("type") in _TRAITS else "properties"
        message[place] = _fields(message.get(place) or {}, fix)
    return message


def _fields(given: Mapping[str, Any], fix: Fix) -> dict[str, Any]:
    renames = fix.fields or {}
    kept = {renames.get(name, name): value for name, value in given.items()}
    kept.pop(None, None)
    missing = {name: v for name, v in (fix.values or {}).items() if kept.get(name) is None}
    return {str(name): value for name, value in kept.items()} | missing
