"""What becomes of a message, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from typing_extensions import override


class Status(StrEnum):
    """`withheld` is not stored by what the person allows, or because they were erased; `refused`
    cannot be told whose it is, or speaks of somebody else."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"
    WITHHELD = "withheld"
    REFUSED = "refused"


class Code(StrEnum):
    """Why a message was not stored as it came."""

    UNPLANNED_EVENT = "unplanned_event"
    UNKNOWN_VERSION = "unknown_version"
    REQUIRED_MISSING = "required_missing"
    DATATYPE_MISMATCH = "datatype_mismatch"
    ADDITIONAL_PROPERTIES = "additional_properties"
    MALFORMED = "malformed"
    NO_IDENTITY = "no_identity"
    NOT_YOURS = "not_yours"
    NO_CONSENT = "no_consent"
    ERASED = "erased"


class Warned(StrEnum):
    """What is odd about a message that was stored all the same."""

    FUTURE = "future"
    BAD_TIME = "bad_time"
    BAD_UUID = "bad_uuid"
    BAD_ID = "bad_id"
    BOT = "bot"
    RATE = "rate"
    MERGE_REFUSED = "merge_refused"
    ACCOUNT_SWITCHED = "account_switched"


class Reason(NamedTuple):
    """A code, and the field that it is about where there is one; never a value."""

    code: Code
    field: str = ""

    @override
    def __str__(self) -> str:
        return f"{self.code.value}:{self.field}" if self.field else self.code.value


@dataclass(frozen=True, slots=True)
class Result:
    """Of one message. `dropped` names the fields that were left out of what is stored."""

    message_id: str
    status: Status
    reasons: tuple[Reason, ...] = ()
    dropped: tuple[str, ...] = ()
    warnings: tuple[Warned, ...] = ()


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message that broke its contract. `sealed` is the whole of it under the subject's key, and
    None of an unplanned one, of which `shape` (types by field) is all that is kept."""

    message_id: str
    name: str
    version: str
    subject: str
    reasons: tuple[Reason, ...]
    occurred_at: datetime
    received_at: datetime
    shape: dict[str, str]
    sealed: bytes | None = None
