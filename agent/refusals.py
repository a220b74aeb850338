"""What the user reads when there is no answer: what was looked for, what is near, whom to ask."""

from __future__ import annotations

import re

from agent.language import Language
from agent.types import Refusal
from guardrails import Redacted, sanitise
from retrieval.types import Evidence

CLOSEST = 3
LONGEST_TOPIC = 160
LONGEST_TITLE = 80
_MARKUP = re.compile(r"[\[\]()`|*#!\\]+")


def refusal_text(reason: Refusal, topic: str, evidence: Evidence | None, words: Language) -> str:
    """One paragraph in the user's language; `topic` as `topic_of` gives it. The nearest pages are
    named by title only: they are not evidence for anything."""
    titles = _closest(evidence)
    closest = words.say("closest", titles=", ".join(titles)) if titles else ""
    return words.say(reason.value, topic=topic, closest=closest)


def topic_of(question: Redacted) -> str:
    """What was looked for, in the user's own redacted words: the question as it stands alone,
    without what a page could render."""
    return _cut(" ".join(_MARKUP.sub(" ", question).split()).rstrip("?!. "), LONGEST_TOPIC)


def _closest(evidence: Evidence | None) -> list[str]:
    if evidence is None:
        return []
    titles = (_cut(sanitise(p.chunk.title).strip(), LONGEST_TITLE) for p in evidence.retrieved)
    return [title for title in dict.fromkeys(titles) if title][:CLOSEST]


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "\u2026"
