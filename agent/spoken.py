"""Which language a text is written in, by its small words; in doubt none.

A question is a handful of words, half of them names of the product, so that letter statistics say
little and a wrong guess answers in a language that nobody spoke. Only function words count
(`spoken.toml`), and what the person quotes, pastes or names does not.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

OPENING = 2.0
"""Votes of the first word: what opens a question ("how", "wie") is the surest of all."""
CLEAR_LEAD = 2.0
"""Votes ahead of the next language that settle any text."""
SHORT_LEAD = 1.0
SHORT_SHARE = 0.4
"""A shorter lead is believed where the votes are this share of the words: "Was ist MRR?"."""
_NOT_SPOKEN = re.compile(
    r"```.*?(?:```|\Z)|`[^`]*`|<[A-Z][A-Z_0-9]*>"  # code, and what redaction masked
    r'|"[^"\n]*"|[“„][^”“\n]*[”“]|«[^»\n]*»'  # quoted
    r"|\S*(?:[/\\@_=]|\w\.\w)\S*",  # addresses, paths, file names, settings
    re.DOTALL,
)
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")


def spoken(text: str) -> str | None:
    """ISO 639-1 code of the language, one of those in `spoken.toml`; None when it is not clear."""
    words = _words(text)
    ranked = sorted(_votes(words).items(), key=lambda vote: -vote[1])
    if not ranked:
        return None
    best, most = ranked[0]
    lead = most - (ranked[1][1] if len(ranked) > 1 else 0.0)
    short = lead >= SHORT_LEAD and most >= SHORT_SHARE * len(words)
    return best if short or lead >= CLEAR_LEAD else None


def _words(text: str) -> list[str]:
    """Lower case; acronyms, which may look like words ("the MIT licence"), stay as they are."""
    found = _WORD.findall(_NOT_SPOKEN.sub(" ", text.replace("\u2019", "'")))
    shouted = all(word.isupper() for word in found)
    return [w if w.isupper() and len(w) > 1 and not shouted else w.lower() for w in found]


def _votes(words: list[str]) -> dict[str, float]:
    """Language -> votes: those of a word are shared by the languages that it belongs to."""
    known = _languages()
    votes: defaultdict[str, float] = defaultdict(float)
    for place, word in enumerate(words):
        owners = known.get(word, ())
        for owner in owners:
            votes[owner] += (OPENING if place == 0 else 1.0) / len(owners)
    return votes


@lru_cache(maxsize=1)
def _languages() -> Mapping[str, tuple[str, ...]]:
    """Word -> the languages that have it."""
    data = tomllib.loads((files("agent") / "spoken.toml").read_text("utf-8"))
    owners: defaultdict[str, list[str]] = defaultdict(list)
    for code, words in data.items():
        for word in sorted(set(words.split())):
            owners[word].append(code)
    return {word: tuple(codes) for word, codes in owners.items()}
