"""Who gets nothing, so that what the others get can be told to help."""

from __future__ import annotations

from hashlib import sha256

from onboarding.interventions.types import Message

_WHOLE = 2**64


def is_null(message: Message) -> bool:
    """By person and step, the same at every entry; never for transactional messages."""
    if message.exempt or not message.null_share:
        return False
    name = message.journey.partition("@")[0]
    return drawn(f"null:{name}/{message.step}", _unit(message), message.null_share)


def drawn(salt: str, unit: str, share: float) -> bool:
    """Whether a unit falls into the first `share` of all."""
    digest = sha256(f"{salt}:{unit}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / _WHOLE < share


def _unit(message: Message) -> str:
    return f"{message.person.tenant}/{message.person.user}"
