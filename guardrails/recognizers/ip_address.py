"""IPv4 and IPv6 addresses."""

import ipaddress

from guardrails.recognizers.base import Candidate, Recognizer, Shape

_VERSION_CONTEXT = ("version", "release", "upgrad", "changelog", "migrat", "downgrad")
_MAX_VERSION_PART = 100


def _valid(candidate: Candidate) -> bool:
    value = candidate.value.split("%", 1)[0]
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    return not address.is_unspecified


def _valid_v4(candidate: Candidate) -> bool:
    return _valid(candidate) and not _version(candidate)


def _version(candidate: Candidate) -> bool:
    """Four-part versions end in small numbers and stand near a word for them; `.0` names a net."""
    if candidate.before.endswith(("v", "v.", "==", ">=", "~=")) or candidate.value.endswith(".0"):
        return True
    parts = [int(part) for part in candidate.value.split(".")]
    return max(parts) < _MAX_VERSION_PART and candidate.near(_VERSION_CONTEXT)


IP_ADDRESS = Recognizer(
    "IP_ADDRESS",
    (
        Shape(r"(?:^|[^\w.])((?:\d{1,3}\.){3}\d{1,3})(?:\.?(?:[^\w.]|$))", 0.95, check=_valid_v4),
        Shape(
            r"(?i)(?:^|[^\w:.])((?:[0-9a-f]{0,4}:){2,7}(?:[0-9a-f]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?)"
            r"(?:[^\w:]|$)",
            0.9,
            hints=(":",),
            check=_valid,
        ),
    ),
)
