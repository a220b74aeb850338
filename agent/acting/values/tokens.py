"""Values that the user typed and that are held: addresses, keys, passwords, parts of links."""

from __future__ import annotations

from typing_extensions import override

from agent.acting.said import Found, Mention
from agent.acting.values.base import Extractor, Search
from agent.acting.wanted import Kind
from agent.acting.words import of_name
from guardrails.pseudonyms import whole

SECRET_TYPES = ("API_KEY", "SECRET", "PASSWORD", "PRIVATE_KEY")
_PARTS = {
    "host": "host", "hostname": "host", "server": "host", "port": "port", "database": "database",
    "db": "database", "dbname": "database", "username": "username", "user": "username",
    "login": "username", "password": "password", "scheme": "scheme",
}  # fmt: skip
"""Argument's last word -> the part of a connection string that it is."""


class Emails(Extractor):
    @override
    def find(self, search: Search) -> tuple[Found, ...]:
        mentions = [m for m in _free(search) if m.held.type == "EMAIL_ADDRESS"]
        return tuple(_found(m, m.held.token) for m in mentions)


class Secrets(Extractor):
    """A key that the right issuer gave out goes first, then any other secret."""

    @override
    def find(self, search: Search) -> tuple[Found, ...]:
        part = _part_of_link(search)
        if part:
            return part
        kinds = [m for m in _free(search) if m.held.type in SECRET_TYPES]
        issuer = search.want.argument.kind.removesuffix("_key")
        named = set(of_name(search.want.name).split())
        password = "password" in named

        def order(mention: Mention) -> tuple[bool, bool]:
            issued = mention.held.shape.get("issuer") == issuer
            return not issued, (mention.held.type == "PASSWORD") != password

        own = [m for m in kinds if search.said.answers or not password or not _is_key(m)]
        return tuple(_found(m, m.held.token) for m in sorted(own, key=order))


def _is_key(mention: Mention) -> bool:
    """A key with an issuer's prefix is no password, unless somebody answers with it."""
    return mention.held.type == "API_KEY"


class LinkParts(Extractor):
    """Parts of a pasted connection string, by the name of the argument."""

    @override
    def find(self, search: Search) -> tuple[Found, ...]:
        return _part_of_link(search)


class Links(Extractor):
    """A held link as a whole."""

    @override
    def find(self, search: Search) -> tuple[Found, ...]:
        return tuple(_found(m, m.held.token) for m in _free(search) if m.held.type == "URL")


def _part_of_link(search: Search) -> tuple[Found, ...]:
    """Places are left out: several arguments share one link."""
    last = of_name(search.want.name).split()[-1]
    part = _PARTS.get(last) or _PARTS.get(search.want.argument.kind)
    if part is None:
        return ()
    for mention in search.said.mentions:
        held = mention.held
        if held.type == "URL" and part in held.shape.get("parts", "").split():
            return (Found(f"{held.token[:-1]}.{part}>", (), held.integrity),)
        if part == "host" and held.type == "IP_ADDRESS":
            return (_found(mention, held.token),)
    return ()


def is_connection(mention: Mention) -> bool:
    return mention.held.type == "URL" and "issuer" in mention.held.shape


def _free(search: Search) -> list[Mention]:
    return [m for m in search.said.mentions if search.taken.free(m.start, m.end)]


def _found(mention: Mention, token: str) -> Found:
    base, _ = whole(token)
    return Found(base, ((mention.start, mention.end),), mention.held.integrity)


BY_KIND = {Kind.EMAIL: Emails(), Kind.SECRET: Secrets()}
