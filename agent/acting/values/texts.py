"""Names, ids and free text: what is quoted, called something, or stands beside its argument."""

from __future__ import annotations

import re

from typing_extensions import override

from agent.acting.said import Found
from agent.acting.values.base import Extractor, Search, named_values, place
from agent.acting.values.tokens import LinkParts
from agent.acting.wanted import id_prefix
from agent.acting.words import of_name

_LONGEST = 80
_HELD = r"<(?:PERSON|LOCATION|ORGANIZATION)_[1-9]\d{0,5}>"
"""A held name, which may stand in one; nothing else that is held may."""
_SPAN = rf"(?:{_HELD}|[^\s,;!?\"'`<>])(?:{_HELD}|[^,;!?\n\"`<>]){{0,79}}?"
_VALUE = rf"(?:{_HELD}|[^\s,;!?\"'`<>]){{1,80}}"
_LEADS = frozenset(
    [
        "the",
        "a",
        "an",
        "to",
        "for",
        "with",
        "from",
        "and",
        "or",
        "of",
        "in",
        "on",
        "it",
        "is",
        "as",
        "please",
        "me",
        "us",
        "my",
        "our",
    ]
)
_ID = r"[A-Za-z0-9][\w.-]{0,63}"
_NUMBERED = rf"(?=[\w.-]*\d){_ID}"
_ENDING = re.compile(r"[\s.,;:!?]+$")


class Names(Extractor):
    """`called Weekly`, `"Weekly"`, `rename it to Weekly`, and the whole of an answer."""

    @override
    def find(self, search: Search) -> tuple[Found, ...]:
        part = LinkParts().find(search)
        if part:
            return part
        quoted = [
            Found(q.text.strip(), ((q.start, q.end),), score=0.9)
            for q in search.said.quotes
            if search.taken.free(q.start, q.end)
        ]
        called = [f for key in ("named", "towards") for f in self._after(search, key)]
        beside = [
            f
            for m in named_values(search, _VALUE)
            if (f := _cleaned(m[1], place(m, 1), 0.7)) and str(f.value).lower() not in _LEADS
        ]
        found = [*quoted, *called, *beside]
        if not found and search.said.answers:
            return _whole(search)
        return tuple(found)

    def _after(self, search: Search, key: str) -> list[Found]:
        lead, ends = search.words.hear[key].pattern, search.words.hear["ends"].pattern
        if key == "towards" and not _renames(search):
            return []
        pattern = rf"\b(?:{lead})\s+[\"'`]?({_SPAN}){ends}"
        found = []
        for match in re.finditer(pattern, search.said.text, re.IGNORECASE):
            if search.taken.free(*match.span(1)):
                cleaned = _cleaned(match[1], match.span(1), 1.0 if key == "named" else 0.8)
                found += [cleaned] if cleaned else []
        return found


def _renames(search: Search) -> bool:
    return search.said.answers or any(
        w.stem in {"renam", "name", "call", "chang", "retitl", "set"} for w in search.said.words
    )


def _cleaned(text: str, at: tuple[int, int], score: float) -> Found | None:
    kept = _ENDING.sub("", text).strip("\"'` ")
    return Found(kept, (at,), score=score) if kept else None


def _whole(search: Search) -> tuple[Found, ...]:
    """An answer as it stands, without "it is" before it."""
    text = re.sub(
        r"^\s*(?:it(?:'s| is| should be)|call it|name it|(?:the )?\w+ is|let'?s call it)\s+",
        "",
        search.bare,
        flags=re.IGNORECASE,
    )
    text = _ENDING.sub("", text).strip("\"'`\u201c\u201d ")
    whole = ((0, len(search.said.text)),)
    return (Found(text, whole),) if text and len(text) <= _longest(search) else ()


def _longest(search: Search) -> int:
    limit = search.want.schema.get("maxLength")
    return limit if isinstance(limit, int) else _LONGEST


class Ids(Extractor):
    """By the prefix of its pattern, else by its name before it: `user 4711`, `order #W123`."""

    @override
    def find(self, search: Search) -> tuple[Found, ...]:
        text, prefix = search.said.text, id_prefix(search.want.schema)
        if prefix:
            shaped = rf"\b{re.escape(prefix)}[\w-]{{1,64}}"
            return tuple(
                Found(m[0], (m.span(),))
                for m in re.finditer(shaped, text)
                if search.taken.free(*m.span())
            )
        noun = "|".join(
            re.escape(w) for w in of_name(search.want.name).split() if w not in ("id", "ids")
        )
        more = rf"(?:(?:\s*,\s*|\s+and\s+)#?{_NUMBERED})*"
        named = rf"\b(?:{noun or 'id'})s?\s*(?:ids?|numbers?|no\.?|nr\.?)?"
        pattern = rf"{named}\s*[:#=]?\s*#?({_NUMBERED}{more})"
        found = []
        for match in re.finditer(pattern, text, re.IGNORECASE):
            for each in re.finditer(_NUMBERED, match[1]):
                at = (match.start(1) + each.start(), match.start(1) + each.end())
                found.append(Found(each[0].rstrip("."), (at,)))
        if not found and search.said.answers:
            found = [Found(m[0].rstrip("."), (m.span(),)) for m in re.finditer(_NUMBERED, text)]
        return tuple(f for f in found if search.taken.free(*f.places[0]))


class Texts(Extractor):
    """Only what is quoted, stands behind a colon after the argument's name, or is the answer."""

    @override
    def find(self, search: Search) -> tuple[Found, ...]:
        part = LinkParts().find(search)
        if part:
            return part
        named = [
            f
            for m in named_values(search, rf"(?:{_HELD}|[^\s,;!?\"'`<>]){{1,200}}")
            if (f := _cleaned(m[1], m.span(1), 0.7)) and str(f.value).lower() not in _LEADS
        ]
        quoted = [
            Found(q.text.strip(), ((q.start, q.end),), score=0.6)
            for q in search.said.quotes
            if search.taken.free(q.start, q.end)
        ]
        found = (*named, *quoted)
        if search.said.answers:
            return _whole(search) or found
        return found
