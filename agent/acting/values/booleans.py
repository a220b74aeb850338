"""Switches: `turn off`, `without the sample project`, `make it mandatory`."""

from __future__ import annotations

import re

from typing_extensions import override

from agent.acting.said import Found
from agent.acting.values.base import Extractor, Search
from agent.acting.words import content, of_name
from guardrails.labels import Integrity

_NEAR = 28
"""Characters before the switch's own words in which "no" or "without" speaks about it."""
_LEAVING = frozenset(["skip", "exclud", "ignor", "omit", "disabl", "hide", "block", "without"])
"""A switch that leaves something out is on when the text says "not" of the thing itself."""
_COVERED = 0.5
"""Share of the switch's own words that name it. A label such as "Skip weekends" has two."""


class Booleans(Extractor):
    """The switch must be named; where the tool is about nothing else, its verb names it."""

    @override
    def find(self, search: Search) -> tuple[Found, ...]:
        said, hear = search.said, search.words.hear
        if said.answers:
            return self._answered(search)
        own = set(content(search.want.argument.label)) | set(content(of_name(search.want.name)))
        own -= set(content("required enabled active"))
        at = [w for w in said.words if w.stem in own and search.taken.free(w.start, w.end)]
        if own and len({w.stem for w in at}) >= max(1, len(own) * _COVERED):
            start = min(w.start for w in at)
            off = bool(hear["not"].search(said.text[max(0, start - _NEAR) : start]))
            unsaid = own & _LEAVING - {w.stem for w in at}
            places = tuple((w.start, w.end) for w in at)
            return (Found(off == bool(unsaid), places, Integrity.OPERATOR, 0.8),)
        return ()

    def _answered(self, search: Search) -> tuple[Found, ...]:
        words, text = search.words, search.said.text
        place = ((0, len(text)),)
        if words.hears("yes", text):
            return (Found(True, place, Integrity.OPERATOR),)
        if words.hears("no", text):
            return (Found(False, place, Integrity.OPERATOR),)
        if switched(search) is not None:
            return (Found(switched(search), place, Integrity.OPERATOR),)
        return ()


def switched(search: Search) -> bool | None:
    """Whether the text as a whole turns something on or off; None when it says neither."""
    text = search.said.text.replace("\u2019", "'")
    if search.words.hear["off"].search(text):
        return False
    return True if search.words.hear["on"].search(text) else None


def is_whole_matter(search: Search, switches: int) -> bool:
    """Whether the tool is about this one switch: `Require SSO`, argument `required`."""
    return switches == 1 and bool(
        re.match(r"(is_|be_)?(required|enabled|active|on|value)$", search.want.name)
    )
