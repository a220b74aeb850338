"""HTTP answers -> values or tool errors: what surely had no effect, and what nobody knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime

from pydantic import JsonValue

from tools.configured import StatusError
from tools.http import Incoming
from tools.numbers import parsed
from tools.policy.mapping import Missing, at
from tools.policy.types import ErrorPointers
from tools.tool import (
    BusyError,
    DriftError,
    ForbiddenError,
    NotSentError,
    ToolError,
    UncertainError,
)

LONGEST_DETAIL = 500
"""Characters of a target's own words that are kept; a paragraph."""
LONGEST_WAIT_S = 86_400.0
_BUSY, _UNAVAILABLE = 429, 503
_MEANINGS: Mapping[int, tuple[type[ToolError], str, bool]] = {
    401: (ForbiddenError, "not_signed_in", True),
    403: (ForbiddenError, "forbidden", False),
    408: (NotSentError, "http_408", False),
    412: (DriftError, "target_changed", False),
    425: (NotSentError, "http_425", False),
}
"""Status -> error, its code, and whether that code goes before the target's own."""


def failure(
    answer: Incoming, pointers: ErrorPointers, now: datetime, *, writes: bool
) -> ToolError | None:
    """The error that an answer stands for; None for a good one."""
    status = answer.status
    if 200 <= status < 300:  # noqa: PLR2004
        return None
    code, detail = _told(answer, pointers)
    fixed = _MEANINGS.get(status)
    if status == _BUSY or (status == _UNAVAILABLE and "retry-after" in answer.headers):
        return BusyError(code or f"http_{status}", detail, retry_after(answer, now))
    if fixed is not None:
        kind, usual, sure = fixed
        return kind(usual if sure else code or usual, detail)
    if 400 <= status < 500:  # noqa: PLR2004
        return StatusError(code or f"http_{status}", detail, status)
    return (UncertainError if writes else NotSentError)(code or f"http_{status}", detail)


def retry_after(answer: Incoming, now: datetime) -> float | None:
    """Seconds; the header may hold them or a date (RFC 9110, 10.2.3)."""
    text = answer.headers.get("retry-after", "").strip()
    try:
        seconds = float(Decimal(text))
    except InvalidOperation:
        try:
            seconds = (parsedate_to_datetime(text) - now).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), LONGEST_WAIT_S)


def _told(answer: Incoming, pointers: ErrorPointers) -> tuple[str, str]:
    body = parsed(answer.body)
    code, detail = at(body, pointers.code), at(body, pointers.detail)
    return _word(code), "" if isinstance(detail, Missing | None) else _clean(detail)


def _word(code: JsonValue | Missing) -> str:
    """A code that can be relied upon: short, without spaces."""
    text = str(code) if isinstance(code, str | int) and not isinstance(code, bool) else ""
    fits = 0 < len(text) <= 64 and text.isascii() and text.isprintable() and " " not in text  # noqa: PLR2004
    return text if fits else ""


def _clean(detail: JsonValue) -> str:
    text = detail if isinstance(detail, str) else json.dumps(detail, ensure_ascii=False)
    return "".join(c for c in text if c.isprintable() or c == "\n")[:LONGEST_DETAIL]
