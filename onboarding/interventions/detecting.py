"""Signals -> frictions: rows of `detectors.yaml`, one watch a person.

The same signals in the same order make the same frictions, whenever they are replayed; a watch is
written down and taken up again anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from onboarding.interventions.fixes import Fix, Ladder
from onboarding.interventions.patterns import Found, Looks, Pattern
from onboarding.interventions.signals import Signal
from onboarding.interventions.tracks import MOST_KEYS, Tracks
from onboarding.interventions.types import Channel
from onboarding.rules import DataFile, DataFileError, Duration, Problem, did_you_mean
from onboarding.types import Friction, Person

FILE: Final = Path(__file__).parent / "detectors.yaml"
NOTHING: Final = Looks()
PERSON: Final = "person"
"""The fix that is somebody, not something."""


class Detector(BaseModel):
    """A row. `fix` is tried in this order; after `cooldown` the same may be found anew."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    pattern: str
    params: Pattern
    severity: int = Field(ge=1, le=3)
    fix: tuple[str, ...] = Field(min_length=1)
    cooldown: Duration
    channel: Channel = Channel.IN_APP
    kind: str = "help"

    @model_validator(mode="before")
    @classmethod
    def _named(cls, row: Any) -> Any:
        """The pattern's name tells which parameters there are."""
        if isinstance(row, dict) and isinstance(row.get("params", {}), dict):
            return {**row, "params": {"pattern": row.get("pattern"), **row.get("params", {})}}
        return row


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    detectors: tuple[Detector, ...] = Field(min_length=1)
    fixes: dict[str, Fix]


@dataclass(slots=True)
class Watch:
    """All that is remembered of one person. `fired` holds when what was found last, by detector and
    what it was about; `known` what signals said that messages may say."""

    tracks: dict[str, Tracks] = field(default_factory=dict)
    fired: dict[str, dict[str, float]] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)

    def next_due(self) -> datetime | None:
        times = [each.next_due for each in self.tracks.values()]
        first = min((time for time in times if time is not None), default=None)
        return None if first is None else datetime.fromtimestamp(first, UTC)

    def dumped(self) -> str:
        return _WATCH.dump_json(self).decode()

    @classmethod
    def loaded(cls, text: str) -> Watch:
        """Raises ValueError for what was not written by `dumped`."""
        return _WATCH.validate_json(text)


_WATCH: Final = TypeAdapter(Watch)


class Detectors:
    """The rows of one file."""

    def __init__(self, rows: Sequence[Detector], fixes: Mapping[str, Fix]) -> None:
        self.rows = {row.id: row for row in rows}
        self.fixes = dict(fixes)

    @classmethod
    def read(cls, file: DataFile) -> Detectors:
        """Raises DataFileError."""
        parsed = file.parse(_File)
        problems = [*_twice(parsed.detectors), *_unknown(parsed)]
        if problems:
            raise DataFileError([file.told(problem) for problem in problems])
        return cls(parsed.detectors, parsed.fixes)

    def ladder(self, detector: str) -> Ladder:
        """Raises KeyError for what is no detector."""
        row = self.rows[detector]
        return Ladder(row.fix, self.fixes, row.channel, row.kind)

    def see(
        self, watch: Watch, person: Person, signal: Signal, looks: Looks = NOTHING
    ) -> tuple[Friction, ...]:
        """Changes the watch."""
        watch.known.update(signal.known)
        for oldest in list(watch.known)[: max(0, len(watch.known) - MOST_KEYS)]:
            del watch.known[oldest]
        found: list[Friction] = []
        for row in self.rows.values():
            tracks = watch.tracks.setdefault(row.id, Tracks())
            found += self._kept(watch, person, row, row.params.see(tracks, signal, looks))
        return tuple(found)

    def due(
        self, watch: Watch, person: Person, now: datetime, looks: Looks = NOTHING
    ) -> tuple[Friction, ...]:
        """What timers that ended by now show. Changes the watch."""
        found: list[Friction] = []
        for name, tracks in watch.tracks.items():
            row, first = self.rows.get(name), tracks.next_due
            if row is None or first is None or first > now.timestamp():
                continue
            ended = row.params.due(tracks, now.timestamp(), looks)
            found += self._kept(watch, person, row, ended)
        return tuple(found)

    def _kept(
        self, watch: Watch, person: Person, row: Detector, found: Iterable[Found]
    ) -> Iterator[Friction]:
        fired = watch.fired.setdefault(row.id, {})
        for each in found:
            last = fired.get(each.about)
            if last is not None and abs(each.at - last) < row.cooldown.total_seconds():
                continue
            fired.pop(each.about, None)
            fired[each.about] = each.at
            for oldest in list(fired)[: max(0, len(fired) - MOST_KEYS)]:
                del fired[oldest]
            at = datetime.fromtimestamp(each.at, UTC)
            yield Friction(row.id, person, at, row.severity, row.fix[0], each.about, each.evidence)


def _twice(rows: Sequence[Detector]) -> Iterator[Problem]:
    seen: set[str] = set()
    for at, row in enumerate(rows):
        if row.id in seen:
            yield Problem(("detectors", at, "id"), "twice", f"{row.id} is there twice")
        seen.add(row.id)


def _unknown(parsed: _File) -> Iterator[Problem]:
    for at, row in enumerate(parsed.detectors):
        for name in row.fix:
            if name not in parsed.fixes:
                hint = did_you_mean(name, parsed.fixes)
                message = f"there is no fix {name}{hint}"
                yield Problem(("detectors", at, "fix"), "unknown_fix", message)
    if PERSON not in parsed.fixes:
        yield Problem(("fixes",), "no_person", "the fix `person` is what is left in the end")
