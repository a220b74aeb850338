"""People for a preview, from a file: one JSON object a line, such as a warehouse exports.

{"user": "u1", "account": "a1", "facts": {"role": "admin"}, "states": {"plan": "team"},
 "features": {"days_since_signup": 3}, "events": {"Signed Up": 1}}
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from onboarding.rules import DataFileError, Moment
from onboarding.types import Fact, History, Person, Profile, Seen, Snapshot, Source


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid")
    user: str = Field(min_length=1)
    account: str | None = None
    facts: dict[str, str] = Field(default_factory=dict)
    states: dict[str, JsonValue] = Field(default_factory=dict)
    features: dict[str, float | str] = Field(default_factory=dict)
    events: dict[str, int] = Field(default_factory=dict)


def read_people(path: Path, tenant: str, now: datetime) -> Iterator[tuple[Person, Moment]]:
    """Events count as of now. Raises DataFileError with the line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as failure:
        raise DataFileError([f"{path}:1:1: the file: cannot be read: {failure}"]) from failure
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _person(line, f"{path}:{number}:1", tenant, now)


def _person(line: str, place: str, tenant: str, now: datetime) -> tuple[Person, Moment]:
    try:
        read = _Line.model_validate_json(line)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the line"
        raise DataFileError([f"{place}: {where}: {first['msg']}"]) from wrong
    facts = {
        name: Fact(tenant, read.user, name, value, 1.0, Source.IMPORTED, now)
        for name, value in read.facts.items()
    }
    view = Moment(
        now=now,
        own=History({name: Seen(count, now, now) for name, count in read.events.items() if count}),
        snapshot=Snapshot(now, read.features, ""),
        profile=Profile(facts),
        states=read.states,
    )
    return Person(tenant, read.user, read.account), view
