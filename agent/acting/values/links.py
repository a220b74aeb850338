"""Addresses in plain sight: links, host names, domains, certificates."""

from __future__ import annotations

import re

from typing_extensions import override

from agent.acting.said import Found
from agent.acting.values.base import Extractor, Search, named_values, place
from agent.acting.values.tokens import LinkParts
from agent.acting.values.tokens import Links as HeldLinks

_LINK = re.compile(r"\bhttps?://[^\s<>\"'`]{1,2000}", re.IGNORECASE)
_DOMAIN = re.compile(
    r"(?<![\w@./-])(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}\b(?![\w@/])",
    re.IGNORECASE,
)
_HOST = r"(?:[A-Za-z0-9-]+\.)*[A-Za-z0-9-]+"
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]+-----[\s\S]{1,20000}?-----END [A-Z0-9 ]+-----")
_FILES = frozenset(
    [
        "csv",
        "json",
        "txt",
        "md",
        "pdf",
        "yaml",
        "yml",
        "toml",
        "xlsx",
        "xls",
        "html",
        "js",
        "py",
        "zip",
        "png",
        "jpg",
    ]
)


class Links(Extractor):
    @override
    def find(self, search: Search) -> tuple[Found, ...]:
        named = [
            Found(m[1].rstrip(".,;!?)"), (place(m, 1),))
            for m in named_values(search, _LINK.pattern)
        ]
        seen = {f.value for f in named}
        plain = [
            Found(m[0].rstrip(".,;!?)"), (m.span(),), score=0.9)
            for m in _LINK.finditer(search.said.text)
            if search.taken.free(*m.span())
        ]
        return (*named, *(f for f in plain if f.value not in seen), *HeldLinks().find(search))


class Domains(Extractor):
    """Also that of an e-mail address, which the user typed as well."""

    @override
    def find(self, search: Search) -> tuple[Found, ...]:
        typed = tuple(
            Found(m[0].lower(), (m.span(),))
            for m in _DOMAIN.finditer(search.said.text)
            if search.taken.free(*m.span()) and m[0].rsplit(".", 1)[1].lower() not in _FILES
        )
        mailed = tuple(
            Found(m.held.shape["domain"], ((m.start, m.end),), m.held.integrity, 0.6)
            for m in search.said.mentions
            if "domain" in m.held.shape and search.taken.free(m.start, m.end)
        )
        return (*typed, *mailed)


class Hosts(Extractor):
    @override
    def find(self, search: Search) -> tuple[Found, ...]:
        parts = LinkParts().find(search)
        named = tuple(Found(m[1], (place(m, 1),)) for m in named_values(search, _HOST + r"\.\w+"))
        plain = tuple(
            Found(m[0], (m.span(),), score=0.8)
            for m in _DOMAIN.finditer(search.said.text)
            if search.taken.free(*m.span())
        )
        lone = re.fullmatch(_HOST, search.bare) if search.said.answers else None
        bare = (Found(search.bare, ((0, len(search.said.text)),)),) if lone else ()
        return (*parts, *named, *plain, *bare)


class Certificates(Extractor):
    @override
    def find(self, search: Search) -> tuple[Found, ...]:
        return tuple(Found(m[0], (m.span(),)) for m in _PEM.finditer(search.said.text))
