"""Members of an enumeration, by their value, by what people call them, nearly right, or by what
the pasted text gives away. A member is ours: its integrity is that of the operator."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pydantic import JsonValue
from rapidfuzz.distance import OSA
from typing_extensions import override

from agent.acting.said import Found, Place, Said
from agent.acting.values.base import Extractor, Search
from agent.acting.values.durations import seconds_of, spans
from agent.acting.words import of_name, stem
from guardrails.labels import Integrity

_EXACT, _SYNONYM, _TYPO, _SHOWN = 1.0, 0.9, 0.7, 0.8
_ONE_TYPO, _TWO_TYPOS = 5, 9
"""Letters from which one slip of the keyboard, or two, are forgiven."""
_WINDOW = 16
"""Characters between the words of a member that are said apart."""
_CLAUSE = re.compile(r"[,;:.!?]")
_OPTIONS = re.compile(r",\s*(?:or\s+)?|\s+or\s+")
_GENERAL = frozenset(
    [
        "the",
        "a",
        "an",
        "only",
        "all",
        "and",
        "or",
        "is",
        "it",
        "what",
        "of",
        "none",
        "to",
        "by",
        "in",
    ]
)


class Enums(Extractor):
    @override
    def find(self, search: Search) -> tuple[Found, ...]:
        return tuple(_ranked(search, self.occurrences(search)))

    def occurrences(self, search: Search) -> list[Found]:
        """Every mention, in no order."""
        members = _members(search)
        found = [f for member in members for f in _mentions(search, member)]
        found += _given_away(search, members)
        return [f for f in found if not _denied(search.said, search, f)]


def _members(search: Search) -> list[JsonValue]:
    schema = search.want.schema
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return [v for v in values if v is not None] if isinstance(values, list) else []


def _mentions(search: Search, member: JsonValue) -> Iterator[Found]:
    text = search.said.text
    for form, score in _forms(search, member):
        for match in re.finditer(_pattern(form), text, re.IGNORECASE):
            if search.taken.free(*match.span()):
                yield _member(member, match.span(), score)
    if isinstance(member, str):
        yield from _scattered(search, member)
        yield from _weekdays(search, member)
        yield from _typos(search, member)
        yield from _durations(search, member)


def _forms(search: Search, member: JsonValue) -> Iterator[tuple[str, float]]:
    plain = of_name(str(member))
    yield plain, _EXACT
    for synonym in search.words.synonyms.get(plain, ()):
        yield synonym, _EXACT if synonym == plain else _SYNONYM
    for told in _told(search, member):
        yield told, _SYNONYM


def _told(search: Search, member: JsonValue) -> list[str]:
    """How the question about it calls the member: its options stand in the order of the members."""
    members = _members(search)
    ask = search.want.argument.ask.rstrip("?. ")
    options = [o for o in _OPTIONS.split(ask.rsplit(":", 1)[-1].strip()) if o.strip()]
    if len(options) != len(members) or member not in members:
        return []
    words = re.findall(r"[^\W_]+", options[members.index(member)].lower())
    kept = [w for w in words if w not in _GENERAL and not w.isdigit()]
    return [kept[0]] if kept else []


def _pattern(form: str) -> str:
    """The form as whole words, the last one inflected."""
    words = [re.escape(word) for word in re.split(r"[\s_-]+", form.strip())]
    return r"(?<![\w@.-])" + r"[\s_-]+".join(words) + r"(?:s|es|'s)?(?![\w@])"


def _typos(search: Search, member: str) -> Iterator[Found]:
    """Single words only. A word that is another member's, or plainly known, is no slip."""
    plain = of_name(member)
    allowed = 2 if len(plain) >= _TWO_TYPOS else 1 if len(plain) >= _ONE_TYPO else 0
    known = {form for other in _members(search) for form, _ in _forms(search, other)}
    for word in search.said.words:
        if not allowed or word.text in known or not search.taken.free(word.start, word.end):
            continue
        near = OSA.distance(word.text, plain, score_cutoff=allowed) <= allowed
        if near and stem(word.text) != stem(plain) and word.text[0] == plain[0]:
            yield _member(member, (word.start, word.end), _TYPO)


def _scattered(search: Search, member: str) -> Iterator[Found]:
    """`import.failed` in "failed imports": every word of the member, near one another."""
    parts = [stem(word) for word in of_name(member).split() if word not in _GENERAL]
    if len(parts) < 2:  # noqa: PLR2004  # one word is looked for as it stands
        return
    hits = [w for w in search.said.words if w.stem in parts]
    for at, word in enumerate(hits):
        group = hits[at : at + len(parts)]
        near = group[-1].start - word.end <= _WINDOW
        if near and {w.stem for w in group} == set(parts):
            yield _member(member, (word.start, group[-1].end), _SHOWN)


def _weekdays(search: Search, member: str) -> Iterator[Found]:
    days = search.words.units.weekdays
    if member not in days:
        return
    for word in search.said.words:
        if days.get(word.text) == days[member] and word.text != member:
            yield _member(member, (word.start, word.end), _SYNONYM)


def _durations(search: Search, member: str) -> Iterator[Found]:
    wanted = seconds_of(member)
    if wanted is None:
        return
    for span in spans(search.said, search.words):
        if span.seconds == wanted and search.taken.free(*span.place):
            yield _member(member, span.place, _EXACT)


def _given_away(search: Search, members: Sequence[JsonValue]) -> list[Found]:
    """The issuer of a pasted key or connection string; no place, as it stays a value."""
    issuers = {m.held.shape["issuer"] for m in search.said.mentions if "issuer" in m.held.shape}
    return [
        Found(member, (), Integrity.OPERATOR, _SHOWN)
        for member in members
        if isinstance(member, str) and member.lower() in issuers
    ]


def _member(member: JsonValue, place: Place, score: float) -> Found:
    return Found(member, (place,), Integrity.OPERATOR, score)


def _denied(said: Said, search: Search, found: Found) -> bool:
    """`not admin`, `without Stripe`."""
    if not found.places:
        return False
    clause = _CLAUSE.split(said.text[: found.places[0][0]])[-1]
    before = " ".join(clause.lower().split()[-2:])
    denied = search.words.hear["not"].search(before) is not None
    return denied and not before.endswith(("only", "just"))


def _ranked(search: Search, found: Sequence[Found]) -> list[Found]:
    """One of each member, best first: that after "to" or "as" before others, then the later."""
    best: dict[str, Found] = {}
    for each in found:
        key = repr(each.value)
        if key not in best or _rank(search, each) > _rank(search, best[key]):
            best[key] = each
    inside = [f for f in best.values() if not _within_longer(f, best.values())]
    return sorted(inside, key=lambda f: _rank(search, f), reverse=True)


def _within_longer(found: Found, others: object) -> bool:
    """`public` inside `not public yet` of another member does not count."""
    if not isinstance(others, Sequence):
        others = list(others) if hasattr(others, "__iter__") else []
    for other in others:
        if other is found or not (found.places and other.places):
            continue
        (a, b), (c, d) = found.places[0], other.places[0]
        if c <= a and b <= d and d - c > b - a:
            return True
    return False


def _rank(search: Search, found: Found) -> tuple[float, bool, int]:
    if not found.places:
        return found.score, False, -1
    start = found.places[0][0]
    lead = search.said.before(start, 1)
    towards = re.fullmatch(search.words.hear["towards"].pattern, lead, re.IGNORECASE) is not None
    return found.score + (0.2 if towards else 0.0), towards, start
