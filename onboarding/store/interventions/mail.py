"""E-mail by SMTP: one connection a message, and a result that says what is certain.

Before the message's data nothing has gone out; once the server has answered them it is known;
in between it is not, and then it is not sent again. One-click unsubscribing is RFC 8058's, which
asks the server that sends it on to sign the headers (DKIM).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.policy import SMTPUTF8
from email.utils import format_datetime, parseaddr
from enum import StrEnum
from pathlib import Path
from typing import Final

from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from onboarding.interventions.channel import (
    Again,
    Effect,
    Parcel,
    Refused,
    Result,
    Sent,
    Unsure,
)
from onboarding.interventions.types import Channel, Delivery, Reason

_PERMANENT: Final = 500
_CLOSING: Final = 421
"""The server takes nothing from anybody now."""
_NO_MAILBOX: Final = re.compile(r"\b5\.(1\.\d{1,3}|2\.1)\b")
"""Enhanced status codes of RFC 3463: the address itself is wrong or closed."""
_ENHANCED: Final = re.compile(r"\b5\.\d{1,3}\.\d{1,3}\b")
_ADDRESS: Final = re.compile(r"([^\s<>,;:\"()\[\]\\@]{1,64})@([^\s<>,;:\"()\[\]\\@]{1,255})")
_ADDRESS_CODES: Final = (550, 551, 553)


class Security(StrEnum):
    """How the connection is protected. `none` is for a server on the same machine."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MailPolicy:
    """`sender` is `Name <address>`. `return_path` may hold `{id}`, so that a bounce names its
    delivery; left out it is the sender's address."""

    host: str
    port: int
    sender: str
    security: Security = Security.STARTTLS
    username: str | None = None
    password: str | None = None
    return_path: str | None = None
    timeout_s: float = 20.0
    local_name: str | None = None
    authorities: Path | None = None  # certificates to trust instead of the system's

    @property
    def address(self) -> str:
        return parseaddr(self.sender)[1]

    def envelope(self, delivery: str) -> str:
        return (self.return_path or self.address).replace("{id}", delivery)


class Mail:
    """`clock` dates messages."""

    channel: Final = Channel.EMAIL
    effect: Final = Effect.ONCE

    def __init__(self, policy: MailPolicy, clock: Callable[[], datetime]) -> None:
        self._policy = policy
        self._clock = clock

    async def send(self, parcel: Parcel) -> Result:
        try:
            message = written(parcel, self._policy, self._clock())
        except ValueError:  # no address can be read from it
            return Refused(Reason.BOUNCED, address=True)
        client = self._client()
        try:
            await client.connect()  # and TLS, and signing in
            await client.ehlo()
        except (SMTPException, OSError):
            return Again()
        try:
            return await self._handed_over(client, parcel, message)
        finally:
            await _closed(client)

    async def found(self, delivery: Delivery) -> None:
        """SMTP has no question for it."""

    async def _handed_over(self, client: SMTP, parcel: Parcel, message: EmailMessage) -> Result:
        wide = not parcel.contact.address.isascii()
        if wide and not client.supports_extension("smtputf8"):
            return Refused()
        options = ["SMTPUTF8"] if wide else []
        try:
            await client.mail(self._policy.envelope(parcel.id), options=options)
        except SMTPResponseException as refused:
            return _refused(refused)
        except (SMTPException, OSError):
            return Again()
        try:
            await client.rcpt(parcel.contact.address, encoding="utf-8" if wide else "ascii")
        except SMTPResponseException as refused:
            return _refused(refused, of_address=True)
        except (SMTPException, OSError):
            return Again()
        return await _data(client, message.as_bytes(policy=SMTPUTF8 if wide else WIRE), parcel.id)

    def _client(self) -> SMTP:
        policy = self._policy
        return SMTP(
            hostname=policy.host,
            port=policy.port,
            username=policy.username,
            password=policy.password,
            local_hostname=policy.local_name,
            timeout=policy.timeout_s,
            use_tls=policy.security is Security.TLS,
            start_tls=policy.security is Security.STARTTLS,
            cert_bundle=str(policy.authorities) if policy.authorities else None,
        )


def written(parcel: Parcel, policy: MailPolicy, now: datetime) -> EmailMessage:
    """Raises ValueError for what is no address. Plain text and HTML, nothing that is loaded."""
    text, domain = parcel.text, policy.address.rpartition("@")[2]
    message = EmailMessage(policy=SMTPUTF8)
    message["From"] = policy.sender
    name, host = _checked(parcel.contact.address)
    message["To"] = Address(username=name, domain=host)
    message["Subject"] = text.subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{parcel.id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    if parcel.unsubscribe is not None:
        message["List-Unsubscribe"] = f"<{parcel.unsubscribe}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    footer = f"-- \n{text.footer}" if text.footer else ""
    message.set_content("\n\n".join(part for part in (text.body, text.link, footer) if part))
    if text.html is not None:
        message.add_alternative(text.html, subtype="html")
    return message


def _checked(address: str) -> tuple[str, str]:
    """One address and nothing else: the header parser would let more through."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ValueError("no address")
    return found[1], found[2]


async def _data(client: SMTP, content: bytes, delivery: str) -> Result:
    try:
        await client.data(content)
    except SMTPResponseException as refused:
        return _refused(refused)
    except (SMTPException, OSError):  # the answer is missing, not necessarily the message
        return Unsure()
    return Sent(delivery)


def _refused(answer: SMTPResponseException, *, of_address: bool = False) -> Result:
    if answer.code < _PERMANENT:
        return Again(answered=answer.code != _CLOSING)
    enhanced = _ENHANCED.search(answer.message)
    if of_address and enhanced is None and answer.code in _ADDRESS_CODES:
        return Refused(Reason.BOUNCED, address=True)
    if of_address and _NO_MAILBOX.search(answer.message):
        return Refused(Reason.BOUNCED, address=True)
    return Refused()


async def _closed(client: SMTP) -> None:
    """What was said stands, however the connection ends."""
    try:
        await client.quit()
    except (SMTPException, OSError):
        client.close()
