"""What published documentation may keep: examples, placeholders, role mailboxes, local hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import re2

from guardrails.lexicon import PUBLISHED
from guardrails.recognizers.base import digits_of
from guardrails.recognizers.entropy import counted_up, entropy, placeholder
from guardrails.types import Span

_ROLE_MAILBOXES = PUBLISHED["role_mailboxes"]
_EXAMPLE_DOMAINS = tuple(PUBLISHED["example_domains"])
# Published by the payment providers for tests; they pass the checksum and belong to nobody.
_TEST_CARDS = PUBLISHED["test_cards"]
_SAMPLE_IBANS = PUBLISHED["sample_ibans"]
_MIN_SECRET_BITS = 3.0
_MIN_SECRET = 8
_SHORT_PART = 6
_JOINT = re2.compile(r"[-_./:]")


def without_published(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """The spans that documentation must not show."""
    for span in spans:
        keeps = _KEEPS.get(span.type)
        if keeps is None or not keeps(text[span.start : span.end]):
            yield span


def _always(_: str) -> bool:
    """Published addresses are those of servers: to allow-list, to route to, to read in a log."""
    return True


def _published_mailbox(value: str) -> bool:
    mailbox, _, domain = value.lower().replace("%40", "@").rpartition("@")
    mailbox = mailbox.split("+", 1)[0].rstrip("0123456789")
    if mailbox in _ROLE_MAILBOXES or placeholder(value):
        return True
    return any(domain == known or domain.endswith("." + known) for known in _EXAMPLE_DOMAINS)


def _published_card(value: str) -> bool:
    return digits_of(value) in _TEST_CARDS


def _published_iban(value: str) -> bool:
    return value.replace(" ", "").upper() in _SAMPLE_IBANS


def _published_phone(value: str) -> bool:
    """Fiction numbers of the North American plan, and bare digits: code, not numbers to call."""
    digits = digits_of(value)
    return "555" in digits[:7] or not value.startswith(("+", "(")) or "1234" in digits


def _published_url(value: str) -> bool:
    """A link of a page stays unless it carries user name and password that look real."""
    authority = value.split("://", 1)[-1].split("/", 1)[0]
    _, _, password = authority.rpartition("@")[0].partition(":")
    return not _looks_real(password)


def _published_secret(value: str) -> bool:
    return not _looks_real(value.rpartition(":")[2])


def _looks_real(value: str) -> bool:
    enough = len(value) >= _MIN_SECRET and entropy(value) >= _MIN_SECRET_BITS
    invented = placeholder(value) or counted_up(value) or _spelt(value)
    return enough and not invented and any(char.isdigit() for char in value)


def _spelt(value: str) -> bool:
    """Words joined by punctuation, such as `department-1-api-key` or `SASL/SCRAM-SHA-256`."""
    parts = _JOINT.split(value)
    return len(parts) > 1 and all(part.isalpha() or len(part) <= _SHORT_PART for part in parts)


def _sample_ssn(value: str) -> bool:
    return counted_up(digits_of(value))


_KEEPS: dict[str, Callable[[str], bool]] = {
    "API_KEY": placeholder,
    "EMAIL_ADDRESS": _published_mailbox,
    "IP_ADDRESS": _always,
    "CREDIT_CARD": _published_card,
    "IBAN_CODE": _published_iban,
    "PHONE_NUMBER": _published_phone,
    "URL": _published_url,
    "PASSWORD": _published_secret,
    "SECRET": _published_secret,
    "CRYPTO": placeholder,
    "US_SSN": _sample_ssn,
}
