"""Things of the product that the user names: a member, a connection, a dashboard.

What is taken is the product's own value of a thing; what makes it the user's is that they named it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from rapidfuzz.distance import OSA
from typing_extensions import override

from agent.acting.said import Found, Place
from agent.acting.types import Choice
from agent.acting.values.base import Extractor, Search
from agent.acting.words import stem

_WHOLE, _ID, _NAME, _PART, _TYPO = 1.0, 1.0, 0.9, 0.75, 0.65
_FORGIVEN = 5
"""Letters from which one slip of the keyboard is forgiven."""
_WORD = re.compile(r"[^\W_]+")
_AMONG = frozenset(
    [
        "the",
        "a",
        "an",
        "of",
        "for",
        "and",
        "or",
        "to",
        "our",
        "my",
        "all",
        "with",
        "on",
        "in",
        "is",
        "not",
        "new",
        "old",
        "com",
        "io",
        "example",
    ]
)


class ChoicesNamed(Extractor):
    """Of a list argument every choice that is named; "all" names every one."""

    @override
    def find(self, search: Search) -> tuple[Found, ...]:
        found = _by_number(search) or [f for c in search.choices for f in _named(search, c)]
        best = _best_of_each(found)
        if search.want.many and not best and search.words.hear["all"].search(search.said.text):
            return tuple(Found(c.value, ()) for c in search.choices)
        return tuple(best)


def _by_number(search: Search) -> list[Found]:
    """`2`, or `the second`, as the answer to a list."""
    bare = search.bare.lower().lstrip("#").strip()
    if not search.said.answers:
        return []
    place = ((0, len(search.said.text)),)
    for choice in search.choices:
        if bare in (str(choice.value).lower(), choice.label.lower()):
            return [Found(choice.value, place)]
    return []


def _named(search: Search, choice: Choice) -> list[Found]:
    text = search.said.text
    for token in choice.tokens:
        at = text.find(token)
        if at >= 0 and search.taken.free(at, at + len(token)):
            return [Found(choice.value, ((at, at + len(token)),))]
    for words, score in ((choice.label, _WHOLE), (str(choice.value), _ID)):
        place = _phrase(search, words)
        if place is not None:
            return [Found(choice.value, (place,), score=score)]
    return _in_part(search, choice)


def _phrase(search: Search, words: str) -> Place | None:
    parts = [re.escape(part) for part in words.split()]
    if not parts:
        return None
    pattern = r"(?<![\w@])" + r"\s+".join(parts) + r"(?:'s|s)?(?![\w@])"
    for match in re.finditer(pattern, search.said.text, re.IGNORECASE):
        if search.taken.free(*match.span()):
            return match.span()
    return None


def _in_part(search: Search, choice: Choice) -> list[Found]:
    """By the words that no other choice has: "Tom" of tom@acme.io, "the weekly one"."""
    own = [w for w in words_of_label(choice.label) if _rare(search.choices)[w] == 1]
    hits = [
        (w, s)
        for w in own
        for s in search.said.words
        if search.taken.free(s.start, s.end) and _same(s.text, s.stem, w)
    ]
    if not hits:
        return []
    exact = [h for h in hits if h[1].stem == stem(h[0])]
    share = len({w for w, _ in hits}) / max(1, len(words_of_label(choice.label)))
    score = (_PART if exact else _TYPO) + (_NAME - _PART) * share
    places = tuple((s.start, s.end) for _, s in (exact or hits))
    return [Found(choice.value, places, score=score)]


def _same(text: str, stemmed: str, word: str) -> bool:
    bare = text.removesuffix("'s").removesuffix("\u2019s")
    if stemmed == stem(word) or bare == word:
        return True
    long = len(word) >= _FORGIVEN and len(bare) >= _FORGIVEN and bare[0] == word[0]
    return long and OSA.distance(bare, word, score_cutoff=1) <= 1


def words_of_label(label: str) -> list[str]:
    """Of an address the mailbox counts, its domain does not."""
    named = label.split("@", maxsplit=1)[0] if "@" in label else label
    return [w for w in _WORD.findall(named.lower()) if w not in _AMONG]


def _rare(choices: Sequence[Choice]) -> Counter[str]:
    return Counter(w for c in choices for w in set(words_of_label(c.label)))


def _best_of_each(found: Sequence[Found]) -> list[Found]:
    best: dict[str, Found] = {}
    for each in found:
        key = repr(each.value)
        if key not in best or each.score > best[key].score:
            best[key] = each
    ranked = sorted(best.values(), key=lambda f: -f.score)
    return [f for f in ranked if not _inside_another(f, ranked)]


def _inside_another(found: Found, others: Sequence[Found]) -> bool:
    """ "Revenue" in "Revenue forecast" when both are choices."""
    return any(
        other is not found and other.score >= found.score and _covers(other.places, found.places)
        for other in others
    )


def _covers(outer: Sequence[Place], inner: Sequence[Place]) -> bool:
    return bool(inner) and all(
        any(a <= c and d <= b and (b - a) > (d - c) for a, b in outer) for c, d in inner
    )
