"""A message in Segment's shape -> its envelope: what it is, whose, when."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import orjson

from onboarding.events.verdicts import Code, Reason, Warned
from onboarding.types import EventKind

FUTURE: Final = timedelta(hours=23)
"""Further ahead a time is wrong, not of another zone (onboarding reference, 2)."""
MAX_NAME: Final = 100
NO_IDS: Final = frozenset(
    {
        "", "0", "-1", "null", "none", "nil", "undefined", "nan", "unknown", "n/a", "guest",
        "anonymous", "visitor", "user", "userid", "user_id", "id", "email", "test", "true", "false",
        "[object object]", "00000000-0000-0000-0000-000000000000",
    }
)  # fmt: skip
"""What broken senders put where an id belongs; whoever took it for one would merge strangers."""
_REF = re.compile(r"[^\x00-\x20\x7f\ud800-\udfff]{1,200}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_BOT = re.compile(r"bot\b|crawl|spider|headless|lighthouse|pingdom|slurp|python-requests", re.I)
_KINDS: Final = {kind.value: kind for kind in EventKind}
_NOTHING: Final[Mapping[str, Any]] = {}


@dataclass(slots=True)
class Envelope:
    """`properties` are the traits of identify and group. `version` is None where none is named."""

    message_id: str
    kind: EventKind
    name: str
    version: str | None
    user: str | None
    anonymous: str | None
    account: str | None
    occurred_at: datetime
    received_at: datetime
    properties: Mapping[str, Any]
    context: Mapping[str, Any]
    warnings: list[Warned] = field(default_factory=list)

    @property
    def subject(self) -> str:
        """Under whose key the whole message lies: the user's, else that of the anonymous id or
        account, which no reference of a host begins like."""
        return self.user or f"~{self.anonymous or self.account}"


class RefusedError(Exception):
    """The message is none, or nobody's."""

    def __init__(self, message_id: str, reason: Reason) -> None:
        super().__init__(str(reason))
        self.message_id = message_id
        self.reason = reason


def envelope_of(raw: Any, received_at: datetime, sent_at: datetime | None) -> Envelope:
    """`sent_at` is of the batch, for messages without their own; whose it is may still be nobody's.
    Raises RefusedError."""
    if not isinstance(raw, dict):
        raise RefusedError("", Reason(Code.MALFORMED))
    warnings: list[Warned] = []
    message_id = _message_id(raw, warnings)
    kind = _KINDS.get(_text(raw.get("type")))
    if kind is None:
        raise RefusedError(message_id, Reason(Code.MALFORMED, "type"))
    context = _mapping(raw.get("context"))
    user, anonymous = _id(raw.get("userId"), warnings), _id(raw.get("anonymousId"), warnings)
    group = raw.get("groupId") if kind is EventKind.GROUP else context.get("groupId")
    account = _id(group, warnings)
    agent = context.get("userAgent")
    if isinstance(agent, str) and _BOT.search(agent):
        warnings.append(Warned.BOT)
    return Envelope(
        message_id,
        kind,
        _name(raw, kind, message_id),
        _version(context),
        user,
        anonymous,
        account,
        _occurred(raw, received_at, sent_at, warnings),
        received_at,
        _properties(raw, kind),
        context,
        warnings,
    )


def moment(value: Any) -> datetime | None:
    """ISO 8601 as a time in UTC, which is meant where no zone is named; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _message_id(raw: Mapping[str, Any], warnings: list[Warned]) -> str:
    """A message without one gets the hash of what it says, so that sending it again is harmless."""
    given = raw.get("messageId")
    if isinstance(given, str) and _UUID.fullmatch(given):
        return given
    warnings.append(Warned.BAD_UUID)
    if isinstance(given, str) and _REF.fullmatch(given):
        return given
    said = {name: value for name, value in raw.items() if name != "sentAt"}
    canonical = orjson.dumps(said, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return hashlib.sha256(canonical).hexdigest()[:32]


def _id(value: Any, warnings: list[Warned]) -> str | None:
    if value is None:
        return None
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value)
    if not _is_id(text):
        warnings.append(Warned.BAD_ID)
        return None
    return text


@lru_cache(maxsize=20_000)
def _is_id(text: str) -> bool:
    is_ref = _REF.fullmatch(text) is not None and not text.startswith("~")
    return is_ref and text.strip().lower() not in NO_IDS


def _name(raw: Mapping[str, Any], kind: EventKind, message_id: str) -> str:
    if kind is not EventKind.TRACK:
        return kind.value
    name = _text(raw.get("event")).strip()
    if not 1 <= len(name) <= MAX_NAME or _CONTROL.search(name):
        raise RefusedError(message_id, Reason(Code.MALFORMED, "event"))
    return name


def _properties(raw: Mapping[str, Any], kind: EventKind) -> Mapping[str, Any]:
    """The name and category of a page stand beside its properties."""
    if kind in {EventKind.IDENTIFY, EventKind.GROUP}:
        return _mapping(raw.get("traits"))
    properties = _mapping(raw.get("properties"))
    if kind is EventKind.PAGE:
        beside = {name: raw[name] for name in ("name", "category") if raw.get(name) is not None}
        return {**properties, **beside}
    return properties


def _version(context: Mapping[str, Any]) -> str | None:
    """Where Segment's own checks look for it."""
    found = _mapping(context.get("protocols")).get("event_version")
    return found if isinstance(found, str) else None


def _occurred(
    raw: Mapping[str, Any], received_at: datetime, batch: datetime | None, warnings: list[Warned]
) -> datetime:
    """`timestamp + (received_at - sent_at)`: both stamps are of one clock, right or wrong."""
    given = raw.get("timestamp", raw.get("originalTimestamp"))
    if given is None:
        return received_at
    said = moment(given)
    if said is None:
        warnings.append(Warned.BAD_TIME)
        return received_at
    sent_at = moment(raw.get("sentAt")) or batch
    try:
        occurred = said if sent_at is None else said + (received_at - sent_at)
    except OverflowError:
        warnings.append(Warned.BAD_TIME)
        return received_at
    if occurred - received_at > FUTURE:
        warnings.append(Warned.FUTURE)
        return received_at
    return occurred


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else _NOTHING


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
