"""What a stored field may hold where it is no enum and no number: references and ids, no text."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from guardrails.tenancy import EVERYBODY

_REF = re.compile(r"[^\x00-\x20\x7f\ud800-\udfff]{1,200}")
_CODE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/#+-]{0,199}")


def ref(name: str, value: str) -> str:
    """An opaque reference of a host, such as a subject: up to 200 characters, no blank among them.

    Raises ValueError, which does not quote the value.
    """
    if not _REF.fullmatch(value):
        raise ValueError(f"{name} is no reference: 1 to 200 characters without blanks")
    return value


def owner(tenant: str) -> str:
    """The name of one tenant. Raises ValueError."""
    if tenant == EVERYBODY:
        raise ValueError(f"{EVERYBODY} names every tenant and none")
    return ref("tenant", tenant)


def code(name: str, value: str) -> str:
    """An id or code of our own: ASCII letters, digits and `_.:/#+-`, up to 200, so no sentence and
    no e-mail address. Raises ValueError, which does not quote the value."""
    if not _CODE.fullmatch(value):
        raise ValueError(f"{name} is no id: letters, digits and _.:/#+- only, 1 to 200")
    return value


def stamp(at: datetime) -> str:
    """ISO 8601 in UTC with microseconds, which sorts as text. Raises ValueError without a zone."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds")
