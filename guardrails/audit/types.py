"""What the audit log holds: who did what to whose data, when, and by which way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from urllib.parse import quote

from guardrails.refs import owner, ref

_ROUTE = re.compile(r"[!-~][ -~]{0,199}")
_LONGEST = 200


class What(StrEnum):
    """Reads of personal data by staff; approvals; changes of policy and keys; erasures, exports."""

    READ_SUBJECT = "read_subject"
    EXPORT_SUBJECT = "export_subject"
    ERASE_SUBJECT = "erase_subject"
    READ_ERASURE = "read_erasure"
    READ_CONSENTS = "read_consents"
    CONSENT_BY_STAFF = "consent_by_staff"
    READ_DECISIONS = "read_decisions"
    EXPORT_DECISIONS = "export_decisions"
    READ_RECEIPTS_OF_OTHER = "read_receipts_of_other"
    EXPORT_RECEIPTS = "export_receipts"
    READ_ACTION_OF_OTHER = "read_action_of_other"
    READ_CONVERSATION_OF_OTHER = "read_conversation_of_other"
    READ_AUDIT = "read_audit"
    EXPORT_AUDIT = "export_audit"
    APPROVAL = "approval"
    POLICY_CHANGE = "policy_change"
    KEY_CHANGE = "key_change"
    HOLD = "hold"
    RELEASE = "release"
    RETENTION = "retention"


def named(subject: str) -> str:
    """A person as rows name them: their reference, percent-encoded where it is none, by its SHA-256
    where it is too long. Nobody has to be left out for what a host calls them."""
    try:
        return ref("subject", subject)
    except ValueError:
        encoded = quote(subject, safe="", errors="replace") or "~"
        hashed = f"sha256:{sha256(encoded.encode()).hexdigest()}"
        return encoded if len(encoded) <= _LONGEST else hashed


@dataclass(frozen=True, slots=True)
class Note:
    """Raises ValueError for what is no reference or no line of printable ASCII.

    `who` is the opaque reference of a member of staff, or `operator` for the command line; `whom`
    None where it is nobody in particular. `route` is a route's template or a command, written by
    us; `request_id` tells rows of one request from others.
    """

    tenant: str
    who: str
    what: What
    whom: str | None
    route: str
    request_id: str

    def __post_init__(self) -> None:
        owner(self.tenant)
        ref("who", self.who)
        ref("request_id", self.request_id)
        if self.whom is not None:
            ref("whom", self.whom)
        if not _ROUTE.fullmatch(self.route):
            raise ValueError("route is no line of 1 to 200 printable ASCII characters")


@dataclass(frozen=True, slots=True)
class Entry:
    """A row; `seq` counts from 1 within the tenant, without gaps."""

    seq: int
    at: datetime
    note: Note


@dataclass(frozen=True, slots=True)
class Wanted:
    """Rows that meet all that is given. `since` is in, `until` is out."""

    who: str | None = None
    what: What | None = None
    whom: str | None = None
    since: datetime | None = None
    until: datetime | None = None


EVERYTHING = Wanted()
