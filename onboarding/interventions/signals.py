"""Event -> Signal: what detectors see of it, by a file that names the host's events and fields."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from guardrails.consent import Purpose
from onboarding.rules import DataFile, DataFileError, Problem, did_you_mean
from onboarding.types import Event, Person

LONGEST: Final = 120
"""Characters of what a signal is about."""


class SignalKind(StrEnum):
    """What happened, whatever the host calls it."""

    CLICK = "click"
    RAGE_CLICK = "rage_click"  # counted by the page itself
    RESPONSE = "response"  # DOM change, request or navigation after a click
    DEAD_CLICK = "dead_click"  # found by the page itself
    FORM_OPENED = "form_opened"
    FORM_EDITED = "form_edited"
    FORM_SUBMITTED = "form_submitted"
    FORM_LEFT = "form_left"
    ERROR = "error"
    IMPORT_FAILED = "import_failed"
    DENIED = "denied"
    LIMITED = "limited"
    ASKED = "asked"
    STEP_SHOWN = "step_shown"
    INPUT = "input"
    STEP_DONE = "step_done"


@dataclass(frozen=True, slots=True)
class Signal:
    """`about` names the element, form, step or question; `code` an error's code or an element's
    kind. `count` is of clicks that a page counted, `x` and `y` are pixels of one click. `vector` is
    of a question, of length 1. `known` holds what fills a fix's message."""

    id: str
    kind: SignalKind
    at: datetime
    about: str = ""
    code: str = ""
    x: float = 0.0
    y: float = 0.0
    count: int = 1
    vector: tuple[float, ...] = ()
    known: tuple[tuple[str, str], ...] = ()


class Source(BaseModel):
    """One event of the host. `about`, `code` and `count` name fields, the first that is there
    counts; `where` holds values that fields must have, or lists of them; `known` is what messages
    say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    event: str
    signal: SignalKind
    about: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    count: tuple[str, ...] = ()
    where: dict[str, JsonValue] = Field(default_factory=dict)
    known: dict[str, str] = Field(default_factory=dict)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    signals: tuple[Source, ...] = Field(min_length=1)


class Signals:
    """Reads events by the rows of a file, in their order."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._by_event: dict[str, list[Source]] = {}
        for source in sources:
            self._by_event.setdefault(source.event, []).append(source)

    @classmethod
    def read(cls, *files: DataFile) -> Signals:
        """Raises DataFileError. Rows of all files count."""
        mistakes: list[str] = []
        sources: list[Source] = []
        for file in files:
            try:
                sources += file.parse(_File).signals
            except DataFileError as error:
                mistakes += error.problems
        if mistakes:
            raise DataFileError(mistakes)
        return cls(sources)

    def of(self, event: Event) -> tuple[Signal, ...]:
        """Only what the person lets be used for support is seen."""
        sources = self._by_event.get(event.name)
        if sources is None:
            return ()
        fields = event.serving(Purpose.SUPPORT)
        fitting = (source for source in sources if _fits(source, fields))
        return tuple(_signal(event, source, fields) for source in fitting)


def unknown_names(file: DataFile, events: Mapping[str, Collection[str]]) -> Iterator[str]:
    """Each event, and each field of one, that has no contract; `events` are names with fields.
    Raises DataFileError."""
    for number, source in enumerate(file.parse(_File).signals):
        place = ("signals", number)
        fields = events.get(source.event)
        if fields is None:
            near = did_you_mean(source.event, events)
            message = f"there is no event {source.event}{near}"
            yield file.told(Problem((*place, "event"), "unknown_event", message))
            continue
        for part, name in _named(source):
            if name not in fields:
                message = f"{source.event} has no field {name}{did_you_mean(name, fields)}"
                yield file.told(Problem((*place, part), "unknown_field", message))


def _named(source: Source) -> Iterator[tuple[str, str]]:
    """Fields that a row reads, each with the part that reads it; `=word` reads none."""
    for part in ("about", "code", "count"):
        yield from ((part, name) for name in getattr(source, part) if not name.startswith("="))
    yield from (("where", name) for name in source.where)
    yield from (("known", name) for name in source.known.values())


def person_of(event: Event) -> Person | None:
    """None while nobody knows whose it is."""
    user = event.user or event.anonymous
    return Person(event.tenant, user, event.account) if user else None


def normal_form(question: str) -> str:
    """A hash of a question without its case, signs and spaces; the question itself is not kept."""
    words = "".join(sign if sign.isalnum() else " " for sign in question.casefold()).split()
    return sha256(" ".join(words).encode()).hexdigest()[:24]


def _fits(source: Source, fields: Mapping[str, JsonValue]) -> bool:
    return all(
        fields.get(name) in (wanted if isinstance(wanted, list) else [wanted])
        for name, wanted in source.where.items()
    )


def _signal(event: Event, source: Source, fields: Mapping[str, JsonValue]) -> Signal:
    count = _first(fields, source.count)
    known = ((name, _first(fields, (field,))) for name, field in source.known.items())
    return Signal(
        id=event.message_id,
        kind=source.signal,
        at=event.occurred_at,
        about=_first(fields, source.about),
        code=_first(fields, source.code),
        x=_float(fields.get("x")),
        y=_float(fields.get("y")),
        count=int(count) if count.isdecimal() else 1,
        known=tuple((name, value) for name, value in known if value),
    )


def _first(fields: Mapping[str, JsonValue], names: Sequence[str]) -> str:
    """`=word` stands for the word itself."""
    for name in names:
        if name.startswith("="):
            return name[1:]
        value = fields.get(name)
        if isinstance(value, str | int | float) and value != "":
            return str(value)[:LONGEST]
    return ""


def _float(value: JsonValue) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
