"""Which kind of turn this is, by weighed cues; in doubt it is a question."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from agent.language import Language
from agent.types import RouteKind
from guardrails import Redacted

LONGEST_COMMAND = 300
"""Code points beyond which a text is taken for a question: people describe problems at length,
they do not give orders or greet at length."""
_PAUSE = re.compile(r"[,;!.]+(?=\s|$)")
_CLOSING = " \t\r\n.!?…,;:)(🙂😀👍🙏"


@dataclass(frozen=True, slots=True)
class Ruling:
    """The kind, and the key of the fixed reply when the kind is answered by one. `asks`: the words
    are those of a question, whatever the kind."""

    kind: RouteKind
    reply: str | None = None
    asks: bool = False


def rule(text: Redacted, language: Language) -> Ruling:
    """The kind with the largest sum of cue weights, when that reaches the locale's threshold and
    is more than the question's own sum; else a question."""
    said = plain(text)
    if not said or len(said) > LONGEST_COMMAND:
        return Ruling(RouteKind.QUESTION)
    sums: defaultdict[RouteKind, float] = defaultdict(float)
    replies: dict[RouteKind, str] = {}
    for cue in language.cues:
        if cue.matches(said):
            sums[cue.kind] += cue.weight
            replies.setdefault(cue.kind, cue.reply)
    return _decide(sums, replies, language.threshold)


def plain(text: str) -> str:
    """What cues are matched against: lower case, one space, no pauses, no closing punctuation."""
    spoken = _PAUSE.sub(" ", text.lower().replace("\u2019", "'"))
    return " ".join(spoken.split()).strip(_CLOSING)


def _decide(
    sums: dict[RouteKind, float], replies: dict[RouteKind, str], threshold: float
) -> Ruling:
    question = sums.pop(RouteKind.QUESTION, 0.0)
    asks = question >= threshold
    if not sums:
        return Ruling(RouteKind.QUESTION, asks=asks)
    best = max(sums, key=lambda kind: sums[kind])
    whole = sums[best] >= threshold
    if whole and (sums[best] > question or best in _FIXED):
        return Ruling(best, replies[best], asks)
    return Ruling(RouteKind.QUESTION, asks=asks)


_FIXED = frozenset({RouteKind.SMALL_TALK, RouteKind.HANDOVER, RouteKind.PROGRESS})
"""Kinds whose cues describe the text as a whole: an opening question word does not outweigh them
("what should I do next", "can I talk to a human")."""
