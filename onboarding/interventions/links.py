"""The link by which a person says no, without signing in: `PAYLOAD.MAC`, both base64url.

It names a person by the host's reference, a kind and a channel, never an address. It does not
expire: what was sent years ago may still be said no to.
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from typing import Final, NamedTuple

from onboarding.interventions.types import Channel, Message
from onboarding.types import Person

MIN_KEY: Final = 32
"""Bytes of a key for HMAC-SHA256, its output's length (RFC 2104, section 3)."""
LONGEST: Final = 2000
_LABEL: Final = b"embark: unsubscribe 1\0"


class Unsubscribed(NamedTuple):
    """What a link speaks of."""

    person: Person
    kind: str
    channel: Channel


class Links:
    """`base_url` ends with the API's version. Raises ValueError for a key below 32 bytes."""

    def __init__(self, base_url: str, key: bytes) -> None:
        if len(key) < MIN_KEY:
            raise ValueError(f"the key of links has {len(key)} bytes; {MIN_KEY} are needed")
        self._base = base_url.rstrip("/")
        self._key = key

    def unsubscribe(self, message: Message) -> str | None:
        """None for what nobody can say no to."""
        if message.exempt:
            return None
        return f"{self._base}/unsubscribe/{self.token(message)}"

    def token(self, message: Message) -> str:
        person = message.person
        said = [person.tenant, person.user, message.kind, message.channel.value]
        payload = json.dumps(said, ensure_ascii=True, separators=(",", ":")).encode()
        return f"{_text(payload)}.{_text(self._mac(payload))}"

    def read(self, token: str) -> Unsubscribed | None:
        """None for what is not of ours."""
        text, _, mac = token.partition(".")
        try:
            payload, given = _bytes(text), _bytes(mac)
        except (Error, ValueError):
            return None
        if len(token) > LONGEST or not hmac.compare_digest(self._mac(payload), given):
            return None
        tenant, user, kind, channel = json.loads(payload)
        return Unsubscribed(Person(tenant, user), kind, Channel(channel))

    def _mac(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, _LABEL + payload, "sha256")


def address_mac(key: bytes, tenant: str, channel: Channel, address: str) -> str:
    """HMAC-SHA256 in hex of an address, in the one form that counts: who has the key can check
    whether an address is refused, nobody can read which are."""
    plain = address.strip().casefold()
    if channel is Channel.SMS:
        plain = "".join(sign for sign in plain if sign.isdigit())
    said = f"{len(tenant)}:{tenant}:{channel.value}:{plain}"
    return hmac.digest(key, said.encode(), "sha256").hex()


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """Raises binascii.Error, ValueError. One text for the same bytes only."""
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _text(data) != text:
        raise ValueError("not in its one form")
    return data
