"""Whether the next thing that the user types is a secret, before anybody reads it."""

from __future__ import annotations

from collections.abc import Sequence

from agent.acting.phrasing import phrasing
from agent.acting.speech import Act, act_of
from agent.acting.types import Wish
from tools.types import Manifest

_WORDS = 2
"""A secret of more words is a passphrase; a question or an order of so many is none."""


def answers_with_secret(
    wish: Wish | None, tools: Sequence[Manifest], text: str, locale: str = "en"
) -> bool:
    """Whether the text answers a question for a secret: then `secret_answer` masks all of it.

    Words to stop or to go on are none, nor is a question back. Reads the text in the clear and
    keeps nothing of it.
    """
    asked = wish.asked if wish is not None else None
    tool = next((t for t in tools if wish is not None and t.name == wish.tool), None)
    argument = tool.arguments.get(asked) if tool is not None and asked is not None else None
    if argument is None or not argument.secret:
        return False
    words = phrasing(locale)
    if any(words.hears(key, text) for key in ("cancel", "back", "no", "skip")):
        return False
    return len(text.split()) <= _WORDS or act_of(text, words) in (Act.ORDER, Act.STATEMENT)
