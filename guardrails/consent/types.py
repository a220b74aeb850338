"""What a person said about the use of their data, and the trail that it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from guardrails.refs import code, owner, ref, stamp


class Purpose(StrEnum):
    """What data may be used for. Nothing is used for anything else."""

    SUPPORT = "support"  # to answer and to help; the only one allowed before anybody is asked
    PRODUCT_ANALYTICS = "product_analytics"
    TRAINING = "training"
    MARKETING = "marketing"


class Channel(StrEnum):
    """Where it was said."""

    WIDGET = "widget"
    PREFERENCES = "preferences"
    HOST = "host"
    STAFF = "staff"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Statement:
    """One consent given or withdrawn. Raises ValueError for what is no reference, id or zoned time.

    `field` None speaks of every field. `text_version` names the text that the person was shown.
    """

    tenant: str
    subject: str
    purpose: Purpose
    given: bool
    text_version: str
    channel: Channel
    at: datetime
    recorded_by: str
    field: str | None = None

    def __post_init__(self) -> None:
        owner(self.tenant)
        ref("subject", self.subject)
        ref("recorded_by", self.recorded_by)
        code("text_version", self.text_version)
        if self.field is not None:
            code("field", self.field)
        stamp(self.at)


@dataclass(frozen=True, slots=True)
class Entry:
    """A statement in the trail of its subject; numbers count from 1 in the order of recording."""

    number: int
    said: Statement


@dataclass(frozen=True, slots=True)
class Erasure:
    """All that is left of a forgotten subject. `subject_mac` is HMAC-SHA256 in hex."""

    tenant: str
    subject_mac: str
    number: int  # from 1: a person may come back and be forgotten again
    at: datetime
    entries: int  # of the trail, now gone
