"""How often and when a journey may speak, as its file says it."""

from __future__ import annotations

import re
from datetime import time, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema
from typing_extensions import override

from onboarding.rules import Duration, duration

SESSION: Final = "session"
_DAY: Final = timedelta(days=1)
_SHORT: Final = re.compile(r"([0-9]+)/(session|[0-9]+[smhdw])")
_CLOCK: Final = r"^([01]\d|2[0-3]):[0-5]\d$"


class Part(BaseModel):
    """A part of a file: frozen, and without keys that nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Via(StrEnum):
    """Where a message goes."""

    IN_APP = "in_app"
    EMAIL = "email"
    SMS = "sms"
    WEBHOOK = "webhook"


class CapWindow(StrEnum):
    """How a cap counts. Files have to say it: senders differ in what they take silence to mean."""

    ROLLING = "rolling"
    CALENDAR = "calendar"
    SESSION = "session"


def _per(given: object) -> object:
    return None if given == SESSION else duration(given)


class CapEntry(Part):
    """At most `max` in `per`, None for a session. A file that does not say `window` has None here,
    which lint refuses."""

    max: int = Field(ge=1)
    per: Annotated[
        timedelta | None,
        BeforeValidator(_per),
        WithJsonSchema({"type": "string", "pattern": rf"^({SESSION}|[1-9][0-9]{{0,5}}[smhdw])$"}),
    ]
    window: CapWindow | None = None
    on_cap: Literal["defer", "skip", "digest"] = "defer"

    @classmethod
    @override
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler, /
    ) -> dict[str, Any]:
        short = {"type": "string", "pattern": rf"^{_SHORT.pattern}$"}
        return {"anyOf": [short, handler.resolve_ref_schema(handler(core))]}

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        """`3/session`, or `1/24h` as in a hurry; the latter still lacks its window."""
        if not isinstance(given, str):
            return given
        found = _SHORT.fullmatch(given)
        if found is None:
            raise ValueError("write 3/session or {max: 1, per: 24h, window: rolling}")
        window = {"window": SESSION} if found[2] == SESSION else {}
        return {"max": int(found[1]), "per": found[2], **window}

    @model_validator(mode="after")
    def _fits(self) -> CapEntry:
        if (self.per is None) != (self.window is CapWindow.SESSION) and self.window is not None:
            raise ValueError("per: session and window: session belong together")
        if self.window is CapWindow.CALENDAR and self.per not in (_DAY, 7 * _DAY):
            raise ValueError("a calendar window is per 1d or per 7d")
        return self


class Caps(Part):
    """By channel; `user` counts over all channels, `account` e-mail to anybody of the account."""

    in_app: CapEntry | None = None
    email: CapEntry | None = None
    sms: CapEntry | None = None
    webhook: CapEntry | None = None
    user: CapEntry | None = None
    account: CapEntry | None = None

    def by_name(self) -> dict[str, CapEntry]:
        """Those that are said, in the order of the fields."""
        return {name: cap for name in type(self).model_fields if (cap := getattr(self, name))}


def _clock(given: object) -> object:
    if isinstance(given, time):
        return given
    if not isinstance(given, str) or not re.fullmatch(_CLOCK, given):
        raise ValueError('a time of the day is written "20:00", with its quotes')
    return time.fromisoformat(given)


Clock = Annotated[
    time, BeforeValidator(_clock), WithJsonSchema({"type": "string", "pattern": _CLOCK})
]


class QuietEntry(Part):
    """Wall times of the person's zone, the account's, the tenant's, or a named one. A window may
    cross midnight."""

    channels: tuple[Via, ...] = (Via.EMAIL, Via.SMS)
    from_: Clock = Field(alias="from")
    to: Clock
    zone: str = "user"
    then: Literal["next_window", "skip", "digest"] = "next_window"


class EntryRule(Part):
    """The event on which a person enters, how often at most, and how far apart."""

    on: str = Field(min_length=1)
    max: int = Field(default=1, ge=1)
    every: Duration | None = None
