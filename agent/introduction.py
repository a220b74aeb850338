"""A message with an introduction or a signature -> what it asks.

"Hi, I am <PERSON> from <LOCATION>. How do I connect Stripe?" is about Stripe. Only the search is
spared the rest: what is stored, planned and shown is the whole message.
"""

from __future__ import annotations

import re
from itertools import dropwhile

from agent.language import Language
from agent.router import rule
from agent.types import RouteKind
from guardrails import Redacted, stored

_SENTENCE = re.compile(r"[^.!?\n]+[.!?\n]*\s*")
_WORD = re.compile(r"<[A-Z_]+(?:_\d+)?>|\w[\w'-]*")
_ASKED = 3
"""Words that must be left: fewer are no question of their own."""
_END = " \t\n.,!;:-"


def without_introduction(text: Redacted, words: Language) -> Redacted:
    """The text without sentences at its beginning and end that only greet, thank or say who."""

    def idle(sentence: str) -> bool:
        said = sentence.strip()
        if said.endswith("?"):
            return False
        bare = said.strip(_END).replace("\u2019", "'")
        if not bare or any(known.fullmatch(bare) for known in words.introductions):
            return True
        return rule(stored(said), words).kind is RouteKind.SMALL_TALK

    kept = [*dropwhile(idle, _SENTENCE.findall(text))]
    kept = [*dropwhile(idle, reversed(kept))][::-1]
    asked = "".join(kept).strip()
    return stored(asked) if len(_WORD.findall(asked)) >= _ASKED else text
