"""IPv4 and IPv6 addresses."""

import ipaddress

from guardrails.recognizers.base import Candidate, Recognizer, Shape

_VERSION_CONTEXT = ("version", "release", "upgrade", "changelog")


def _valid(candidate: Candidate) -> bool:
    value = candidate.value.split("%", 1)[0]
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    return not address.is_unspecified


def _valid_v4(candidate: Candidate) -> bool:
    if candidate.before.endswith(("v", "v.", "version ", "version: ", "==", ">=", "~=")):
        return False
    return _valid(candidate)


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
