"""What kind of utterance it is: an order is acted on, a question about how is answered."""

from __future__ import annotations

import re
from enum import StrEnum

from agent.acting.phrasing import Phrasing
from agent.acting.words import content, lexicon, plain_words, stem

_QUOTED = re.compile(
    r"\"[^\"]*\"|\u201c[^\u201d]*\u201d|\u201e[^\u201c]*\u201c|\u00ab[^\u00bb]*\u00bb"
)
_GREETING = frozenset(
    [
        "hi",
        "hello",
        "hey",
        "ok",
        "okay",
        "so",
        "and",
        "please",
        "then",
        "now",
        "well",
        "just",
        "also",
        "pls",
        "kindly",
        "go",
        "ahead",
        "yes",
        "bitte",
        "hallo",
        "alright",
        "great",
        "cool",
        "perfect",
        "thanks",
    ]
)


_EXPLAIN = re.compile(
    r"\b(?:tell|explain|show|teach|describe)(?: to)?(?: me| us)? (?:how|why|what|where)\b",
    re.IGNORECASE,
)


_ASKING = frozenset(["who", "what", "which", "how", "all", "again", "public", "external"])
"""Words of the lexicon's verbs that begin no order."""


class Act(StrEnum):
    """How the turn is put."""

    ORDER = "order"  # an imperative, a wish, a polite request
    HOW_TO = "how_to"  # how something is done
    STATE = "state"  # a question about what is there now, of the user's own
    FACT = "fact"  # any other question
    TOLD = "told"  # what others said, what a text shows, what happened
    REFUSED = "refused"  # that something shall not be done
    SOCIAL = "social"  # thanks, greetings and the like
    STATEMENT = "statement"  # everything else: a problem, a piece of news


def act_of(text: str, words: Phrasing) -> Act:
    """The first that fits, in the order of certainty."""
    said = " ".join(text.replace("\u2019", "'").split())
    bare = _QUOTED.sub(" ", said).strip()
    hears = {key for key, pattern in words.speech.items() if pattern.search(bare)}
    asked = "asked_of_you" in hears and not _asks_how(bare)
    if "social" in hears and not _imperative(bare) and not asked and "wanted" not in hears:
        return Act.SOCIAL
    for key, act in (("told", Act.TOLD), ("negated", Act.REFUSED)):
        if key in hears and not (asked and key == "told"):
            return act
    if asked:
        return Act.ORDER
    return _asked_or_told(bare, hears)


def _asked_or_told(bare: str, hears: set[str]) -> Act:
    if "how_to" in hears:
        return Act.HOW_TO
    if "?" in bare[:-1] and _imperative(bare.rpartition("?")[2]):
        return Act.ORDER  # "is it still working? please check it"
    if "ability" in hears or bare.endswith("?"):
        return Act.STATE if "own" in hears and "capability" not in hears else Act.FACT
    if _imperative(bare) or hears & {"wanted", "modal"}:
        return Act.ORDER
    return _stated(bare, hears)


def _stated(bare: str, hears: set[str]) -> Act:
    if "news" in hears:
        return Act.TOLD
    told = not bare or bool(hears & {"past", "copula"}) or _long(bare)
    return Act.STATEMENT if told else Act.ORDER


def _asks_how(text: str) -> bool:
    return _EXPLAIN.search(text) is not None


def _imperative(text: str) -> bool:
    """Whether a clause begins with a verb that tools have."""
    verbs = lexicon().verbs
    for clause in re.split(r"[,;:.!\u2013\u2014]|\band\b|\bthen\b|\bso\b|\bund\b", text):
        first = next((w for w in plain_words(clause) if w not in _GREETING), "")
        if stem(first) in verbs and first not in _ASKING:
            return True
    return False


def _long(text: str) -> bool:
    """A short phrase without a verb ("new dashboard, Weekly") is an order; a sentence is not."""
    return len(content(text)) > 5  # noqa: PLR2004  # longest headline of the development set
