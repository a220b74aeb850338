"""readiness.yaml: thresholds, what people of the tenant declare, and who overrode the stage."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum, StrEnum
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from onboarding.profile.catalogue import EventName, FieldName, Strict
from onboarding.rules import Duration, read_data


class SignalName(StrEnum):
    """The five, in their order."""

    PRODUCT_MARKET_FIT = "product_market_fit"
    DIVERSITY = "diversity"
    GENERIC_FAILS = "generic_fails"
    ACTIVE_USERS = "active_users"
    RETENTION_FIRST = "retention_first"


class Stage(IntEnum):
    """How much is personalised; the lower wins."""

    GENERIC = 0
    SEGMENT = 1
    INDIVIDUAL = 2

    @property
    def title(self) -> str:
        return self.name.lower()


class Rung(IntEnum):
    """What ranks: curated journeys with role rules, P(complete action), P(activate)."""

    CURATED = 0
    COMPLETE = 1
    ACTIVATE = 2

    @property
    def title(self) -> str:
        return self.name.lower()


class Thresholds(Strict):
    """Section 5 of the onboarding reference."""

    retention: float = Field(gt=0, lt=1)
    week_loss: float = Field(ge=0, lt=1)
    cohorts: int = Field(ge=1)
    profiles: int = Field(ge=2)
    sampled: int = Field(ge=2)
    smallest: float = Field(gt=0, lt=1)
    distance: float = Field(ge=0, le=1)
    strength: float = Field(ge=0, le=1)
    complaints: int = Field(ge=1)
    points: float = Field(gt=0, lt=1)
    p: float = Field(gt=0, lt=1)
    active: int = Field(ge=1)
    gain: float = Field(ge=0)


class Declared(Strict):
    """Somebody of the tenant says that a signal holds. `notes` counts the sampled users whose
    profiles they wrote down."""

    signal: SignalName
    owner: str = Field(min_length=1, max_length=200)
    on: date
    until: date | None = None
    notes: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _may_be(self) -> Self:
        if self.signal is SignalName.ACTIVE_USERS:
            raise ValueError("active users are counted, not declared")
        return self


class Override(Strict):
    """Down needs nothing and counts at once; up needs a reason, an owner and an end."""

    stage: Literal["generic", "segment", "individual"]
    reason: str | None = Field(default=None, max_length=500)
    owner: str | None = Field(default=None, max_length=200)
    until: date | None = None

    @property
    def to(self) -> Stage:
        return Stage[self.stage.upper()]

    def is_over(self, now: datetime) -> bool:
        return self.until is not None and now >= end_of(self.until)

    @property
    def lacks(self) -> tuple[str, ...]:
        """What an override upwards still needs."""
        needed = {"reason": self.reason, "owner": self.owner, "until": self.until}
        return tuple(name for name, value in needed.items() if value is None)


class Reads(Strict):
    """Names of the tenant's events. The values of the complaint's field are `too_simple`,
    `too_complex`, `too_brief` and `too_detailed`."""

    signup: EventName
    goal: EventName
    complaint: EventName
    complaint_field: FieldName


class ReadinessFile(Strict):
    """`lasts`: for how long a declaration counts that names no end of its own."""

    version: Literal[1]
    thresholds: Thresholds
    lasts: Mapping[SignalName, Duration]
    declared: tuple[Declared, ...] = ()
    override: Override | None = None
    reads: Reads

    def declaration(self, signal: SignalName, now: datetime) -> Declared | None:
        """The newest that counts now."""
        counting = [each for each in self.declared if self._counts(each, signal, now)]
        return max(counting, key=lambda each: each.on, default=None)

    def ends(self, declared: Declared) -> datetime:
        """Never after what its signal lasts."""
        longest = _start_of(declared.on) + self.lasts.get(declared.signal, timedelta())
        return longest if declared.until is None else min(longest, end_of(declared.until))

    def _counts(self, declared: Declared, signal: SignalName, now: datetime) -> bool:
        if declared.signal is not signal or not _start_of(declared.on) <= now < self.ends(declared):
            return False
        return signal is not SignalName.DIVERSITY or declared.notes >= self.thresholds.sampled


def load_readiness(path: Path | None = None) -> ReadinessFile:
    """The shipped file when none is given: nothing is declared there. Raises DataFileError."""
    if path is not None:
        return read_data(path).parse(ReadinessFile)
    with as_file(files("onboarding.profile.readiness") / "readiness.yaml") as shipped:
        return read_data(shipped).parse(ReadinessFile)


def end_of(day: date) -> datetime:
    """The day itself is in."""
    return _start_of(day) + timedelta(days=1)


def _start_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
