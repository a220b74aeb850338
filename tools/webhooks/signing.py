"""Signatures of the Standard Webhooks specification: what we send, and what is sent to us.

    webhook-id          names the message, the same in every try
    webhook-timestamp   seconds since 1970 of this try
    webhook-signature   `v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`; or several

The body is taken as it came: nothing of it is read before its signature is good.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from typing_extensions import override

PREFIX = "whsec_"
TOLERANCE_S = 300
"""Before and after now (safety reference, section 8)."""
KEPT_S = 24 * 3600
"""For how long a message is remembered, so that it is taken once."""
LEAST_BYTES, MOST_BYTES = 24, 64
"""Of a secret, as the specification has it."""
LIVE_SECRETS = 2
"""The one in use, and the one before or after it."""
MOST_SIGNATURES = 16
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_ID = re.compile(r"[A-Za-z0-9_:~-]{1,200}")
"""No dot: `a.1` at `2` would sign the same bytes as `a` at `1`."""
_SECONDS = re.compile(r"[0-9]{1,12}")
_VERSION = "v1,"
_DIGEST_BYTES = 32


class SecretError(ValueError):
    """A secret that must not be used; says why, never what it is."""


class WebhookError(Exception):
    """A message that is not believed; `reason` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Secrets:
    """Keys of one sender; each counts."""

    keys: tuple[bytes, ...]

    @override
    def __repr__(self) -> str:
        return f"Secrets({len(self.keys)})"


def read_secrets(text: str) -> Secrets:
    """One `whsec_...`, or two in rotation, with white space between. Raises SecretError."""
    words = text.split()
    if not 1 <= len(words) <= LIVE_SECRETS:
        raise SecretError(f"{len(words)} secrets: give one, or two in rotation")
    return Secrets(tuple(_key(word) for word in words))


def _key(word: str) -> bytes:
    if not word.startswith(PREFIX):
        raise SecretError(f"a secret begins with {PREFIX}")
    try:
        key = base64.b64decode(word.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SecretError(f"behind {PREFIX} stands base64") from error
    if not LEAST_BYTES <= len(key) <= MOST_BYTES:
        raise SecretError(f"a secret has {LEAST_BYTES} to {MOST_BYTES} bytes, this one {len(key)}")
    return key


def signed(secrets: Secrets, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers; a signature by each secret, so that a receiver may have either."""
    seconds = str(int(at.timestamp()))
    signatures = (_signature(key, message_id, seconds, body) for key in secrets.keys)
    texts = (_VERSION + base64.b64encode(each).decode() for each in signatures)
    return {ID: message_id, TIMESTAMP: seconds, SIGNATURE: " ".join(texts)}


def verified(secrets: Secrets, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """The id of a message that was signed with one of the secrets just now. Whether it came before
    is the store's to say. Raises WebhookError."""
    message_id, seconds = headers.get(ID, ""), headers.get(TIMESTAMP, "")
    if not (_ID.fullmatch(message_id) and _SECONDS.fullmatch(seconds)):
        raise WebhookError("malformed_header")
    given = _given(headers.get(SIGNATURE, ""))
    wanted = [_signature(key, message_id, seconds, body) for key in secrets.keys]
    # every one is compared: how long it takes says nothing of which fits
    fits = [hmac.compare_digest(one, other) for one in wanted for other in given]
    if not any(fits):
        raise WebhookError("wrong_signature")
    if abs(now.timestamp() - int(seconds)) > TOLERANCE_S:
        raise WebhookError("too_old_or_new")
    return message_id


def _given(header: str) -> list[bytes]:
    """Those of our version; others are of versions to come. Raises WebhookError."""
    words = header.split(" ") if header else []
    if len(words) > MOST_SIGNATURES:
        raise WebhookError("malformed_header")
    found: list[bytes] = []
    for word in words:
        if not word.startswith(_VERSION):
            continue
        try:
            digest = base64.b64decode(word.removeprefix(_VERSION), validate=True)
        except (binascii.Error, ValueError) as error:
            raise WebhookError("malformed_header") from error
        if base64.b64encode(digest).decode() != word.removeprefix(_VERSION):
            raise WebhookError("malformed_header")  # bits that no byte holds
        found.append(digest)
    return [digest for digest in found if len(digest) == _DIGEST_BYTES]


def _signature(key: bytes, message_id: str, seconds: str, body: bytes) -> bytes:
    return hmac.digest(key, f"{message_id}.{seconds}.".encode() + body, "sha256")
