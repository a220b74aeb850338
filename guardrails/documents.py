"""What published documentation may keep: examples, placeholders, role mailboxes, local addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator

from guardrails.recognizers.base import digits_of
from guardrails.recognizers.entropy import entropy, placeholder
from guardrails.types import Span

_ROLE_MAILBOXES = frozenset(
    [
        "abuse",
        "accounts",
        "admin",
        "administrator",
        "alerts",
        "api",
        "billing",
        "careers",
        "compliance",
        "contact",
        "contracts",
        "customerservice",
        "customersuccess",
        "data",
        "demo",
        "dev",
        "developer",
        "developers",
        "dmarc",
        "dpo",
        "editor",
        "email",
        "enquiries",
        "events",
        "feedback",
        "finance",
        "from",
        "hello",
        "help",
        "helpdesk",
        "hostmaster",
        "hr",
        "info",
        "inquiries",
        "investors",
        "it",
        "jobs",
        "legal",
        "mail",
        "mailer",
        "mailer-daemon",
        "marketing",
        "me",
        "media",
        "name",
        "news",
        "newsletter",
        "no-reply",
        "no_reply",
        "noc",
        "nobody",
        "noreply",
        "notifications",
        "office",
        "onboarding",
        "operations",
        "ops",
        "orders",
        "partners",
        "postmaster",
        "press",
        "privacy",
        "recipient",
        "recruiting",
        "registrar",
        "reply",
        "returns",
        "root",
        "sales",
        "sales-team",
        "security",
        "sender",
        "service",
        "services",
        "shop",
        "someone",
        "spam",
        "staff",
        "status",
        "subscribe",
        "success",
        "support",
        "team",
        "tech",
        "test",
        "tests",
        "to",
        "trust",
        "unsubscribe",
        "user",
        "user1",
        "user2",
        "username",
        "webmaster",
        "welcome",
        "work",
        "you",
        "your-email",
        "youremail",
        "your-name",
        "yourname",
    ]
)
_EXAMPLE_DOMAINS = (
    "example", "example.com", "example.net", "example.org", "test", "invalid", "localhost", "local",
    "internal", "acme.com", "acme.corp", "contoso.com", "domain.com", "yourdomain.com", "mydomain.com",
    "your-domain.com", "company.com", "yourcompany.com", "mycompany.com", "email.com", "mail.com",
    "iam.gserviceaccount.com", "foo.com", "bar.com", "baz.com", "users.noreply.github.com",
)  # fmt: skip
# Published by the payment providers for tests; they pass the checksum and belong to nobody.
_TEST_CARDS = frozenset(
    [
        "4242424242424242",
        "4111111111111111",
        "4012888888881881",
        "4000056655665556",
        "5555555555554444",
        "5105105105105100",
        "378282246310005",
        "371449635398431",
        "6011111111111117",
        "6011000990139424",
        "30569309025904",
        "38520000023237",
        "3530111333300000",
        "3566002020360505",
    ]
)
_SAMPLE_IBANS = ("GB82WEST12345698765432", "DE89370400440532013000", "GB29NWBK60161331926819")
_MIN_SECRET_BITS = 3.0
_MIN_SECRET = 8


def without_published(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """The spans that documentation must not show."""
    for span in spans:
        keeps = _KEEPS.get(span.type)
        if keeps is None or not keeps(text[span.start : span.end]):
            yield span


def _published_mailbox(value: str) -> bool:
    mailbox, _, domain = value.lower().replace("%40", "@").rpartition("@")
    mailbox = mailbox.split("+", 1)[0]
    if mailbox in _ROLE_MAILBOXES or placeholder(value):
        return True
    return any(domain == known or domain.endswith("." + known) for known in _EXAMPLE_DOMAINS)


def _published_address(value: str) -> bool:
    address = ipaddress.ip_address(value.split("%", 1)[0])
    return not address.is_global or address.is_multicast or value in _PUBLIC_RESOLVERS


_PUBLIC_RESOLVERS = frozenset(["1.1.1.1", "1.0.0.1", "8.8.8.8", "8.8.4.4", "9.9.9.9"])


def _published_card(value: str) -> bool:
    return digits_of(value) in _TEST_CARDS


def _published_iban(value: str) -> bool:
    return value.replace(" ", "").upper() in _SAMPLE_IBANS


def _published_phone(value: str) -> bool:
    """Fiction numbers of the North American plan, and bare digit runs: code, not numbers to call."""
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
    return enough and any(char.isdigit() for char in value) and not placeholder(value)


_KEEPS: dict[str, Callable[[str], bool]] = {
    "EMAIL_ADDRESS": _published_mailbox,
    "IP_ADDRESS": _published_address,
    "CREDIT_CARD": _published_card,
    "IBAN_CODE": _published_iban,
    "PHONE_NUMBER": _published_phone,
    "URL": _published_url,
    "PASSWORD": _published_secret,
    "SECRET": _published_secret,
    "CRYPTO": placeholder,
}
