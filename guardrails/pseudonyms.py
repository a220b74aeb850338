"""original and spans -> numbered tokens, and what may be known of the values behind them.

`invite ana@acme.io` -> `invite <EMAIL_ADDRESS_1>`; a part of a value has a token of its own, such
as `<URL_1.host>`. Nothing here stores a value.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.resources import files
from urllib.parse import unquote, urlsplit

from guardrails.masking import mask
from guardrails.types import Redacted, Redaction, Span

TOKEN = re.compile(r"<([A-Z][A-Z0-9_]*)_([1-9]\d*)(?:\.([a-z]+))?>")
"""A token: type, number within the conversation, and the part if it names one."""
SECRETS = frozenset({"API_KEY", "PASSWORD", "SECRET", "PRIVATE_KEY", "REDACTED"})
MASK = "••••"
_PASSWORD = re.compile(r"(://[^/@:]*:)[^/@]*@")
_PREFIX = re.compile(r"[A-Za-z0-9]{1,12}(?:[_-][A-Za-z0-9]{1,8})?[_.-]")


def token(type: str, number: int, part: str = "") -> str:
    return f"<{type}_{number}.{part}>" if part else f"<{type}_{number}>"


def whole(token: str) -> tuple[str, str]:
    """The token of the whole value, and the part that is meant, empty for the whole."""
    match = TOKEN.fullmatch(token)
    if match is None or not match[3]:
        return token, ""
    return f"<{match[1]}_{match[2]}>", match[3]


def pseudonymise(original: str, redaction: Redaction, named: Callable[[str, str], str]) -> Redacted:
    """The text with the token that `named` gives for the type and the value of every span; what may
    be held nowhere gets the bare type."""
    pieces: list[str] = []
    at = 0
    for span in redaction.spans:
        value = original[span.start : span.end]
        token = f"<{span.type}>" if span.type in redaction.unkept else named(span.type, value)
        pieces += (original[at : span.start], token)
        at = span.end
    return Redacted("".join((*pieces, original[at:])))


def identity(type: str, value: str) -> str:
    """Equal for values that are the same thing: of e-mail addresses the case does not matter."""
    return f"{type}\0{value.casefold() if type == 'EMAIL_ADDRESS' else value}"


def secret_answer(original: str, redaction: Redaction) -> Redaction:
    """The redaction of an answer to a question for a secret: whatever was typed is one.

    A password of plain words has no shape to be known by; who asked for it knows what it is.
    """
    start, end = len(original) - len(original.lstrip()), len(original.rstrip())
    if start >= end or any(span.type in SECRETS for span in redaction.spans):
        return redaction
    return mask(original, (Span(start, end, "SECRET", 1.0),))


def unveiled(type: str, value: str, part: str = "") -> str:
    """The value, or a part of it, as its owner may see it again; secrets stay masked."""
    if type in SECRETS or part == "password":
        return MASK
    if part:
        return str(part_of(type, value, part) or MASK)
    password = part_of(type, value, "password")
    return _PASSWORD.sub(rf"\1{MASK}@", value) if password else value


def shape_of(type: str, value: str) -> Mapping[str, str]:
    """What a planner, a log or a model may know of a value.

    Of an address its domain, of a link its scheme and the names of its parts, of a key its
    published prefix, and of the last two the issuer where it is known.
    """
    made = _SHAPES.get(type)
    return made(value) if made is not None else {}


def part_of(type: str, value: str, part: str) -> str | int | None:
    """The value of a part; None where the value has no such part. A port is a number."""
    return _PARTS.get(type, _no_parts)(value).get(part)


def _email_parts(value: str) -> Mapping[str, str | int]:
    mailbox, _, domain = value.replace("%40", "@").rpartition("@")
    return {"domain": domain.lower(), "mailbox": mailbox} if mailbox else {}


def _email_shape(value: str) -> Mapping[str, str]:
    return {name: str(part) for name, part in _email_parts(value).items() if name == "domain"}


def _url_parts(value: str) -> Mapping[str, str | int]:
    """User name, password and database decoded; a part that is missing is left out."""
    try:
        link = urlsplit(value.removeprefix("jdbc:"))
        port = link.port
    except ValueError:  # brackets or a port that are none: parts cannot be told
        return {}
    parts = {
        "scheme": link.scheme,
        "username": unquote(link.username or ""),
        "password": unquote(link.password or ""),
        "host": link.hostname or "",
        "port": port or "",
        "database": unquote(link.path.strip("/")) if not _is_web(link.scheme) else "",
        "path": link.path if _is_web(link.scheme) else "",
        "query": link.query,
    }
    return {name: part for name, part in parts.items() if part}


def _is_web(scheme: str) -> bool:
    return scheme in {"http", "https", "ws", "wss"}


def _url_shape(value: str) -> Mapping[str, str]:
    parts = _url_parts(value)
    if not parts:
        return {}
    scheme = str(parts["scheme"])
    issuer = next((who for who, names in _issuers()["schemes"].items() if scheme in names), "")
    names = " ".join(name for name in parts if name not in ("scheme", "query"))
    return {"scheme": scheme, "parts": names} | ({"issuer": issuer} if issuer else {})


def _key_shape(value: str) -> Mapping[str, str]:
    begins = [
        (prefix, who)
        for who, prefixes in _issuers()["keys"].items()
        for prefix in prefixes
        if value.startswith(prefix)
    ]
    if begins:
        prefix, who = max(begins, key=lambda one: len(one[0]))
        return {"prefix": prefix, "issuer": who}
    known = _PREFIX.match(value)
    return {"prefix": known[0]} if known else {}


def _no_parts(_: str) -> Mapping[str, str | int]:
    return {}


_SHAPES: Mapping[str, Callable[[str], Mapping[str, str]]] = {
    "EMAIL_ADDRESS": _email_shape,
    "URL": _url_shape,
    "API_KEY": _key_shape,
}
_PARTS: Mapping[str, Callable[[str], Mapping[str, str | int]]] = {
    "EMAIL_ADDRESS": _email_parts,
    "URL": _url_parts,
}


@lru_cache(maxsize=1)
def _issuers() -> Mapping[str, Mapping[str, list[str]]]:
    return tomllib.loads((files("guardrails") / "issuers.toml").read_text("utf-8"))
