"""A question about something that went wrong -> the same, with what the product itself reported.

"Why did it fail?" asked just after an import failed is about that import: its code leads to the
page. A question that names a code, or that is long enough to stand alone, is left as it is.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from agent.guiding import Situation, Trouble
from agent.language import Language
from guardrails import Redacted, stored

LATELY = timedelta(minutes=30)
"""How long an error is what "it" most likely means: one session of work."""
LONGEST = 14
"""Words beyond which a question is taken to stand alone, as in `agent.followup`."""
_CODE = re.compile(r"\b[A-Z]{2,10}[-_]?\d{2,6}\b|\b[45]\d\d\b")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,79}")


def may_be_trouble(question: Redacted, words: Language) -> bool:
    """Whether it is worth asking what happened."""
    short = len(question.split()) <= LONGEST
    return short and not _CODE.search(question) and bool(words.trouble.search(question))


def with_trouble(question: Redacted, situation: Situation, now: datetime) -> Redacted:
    """The newest trouble of the last half hour is added, in the product's own words."""
    recent = [each for each in situation.troubles if now - each.at <= LATELY]
    named = _named(recent[0]) if recent else ""
    return stored(f"{question.rstrip()} ({named})") if named else question


def _named(trouble: Trouble) -> str:
    """Names and codes only: what came as text of a person is never put into a question."""
    said = [trouble.event, trouble.about or "", trouble.code or ""]
    return " ".join(each for each in said if _NAME.fullmatch(each))
