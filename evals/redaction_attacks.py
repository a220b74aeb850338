"""Adversarial texts: bombs before and after a value that must not come through."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from evals.redaction import Contender, timed

COUNT = 200
"""Texts of a test run, as safety 10.1 rows 34 and 35 have it."""
_LENGTH = 8192
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
_HIDDEN = re.compile(f"[{_INVISIBLE}]")

Bomb = Callable[[Random], str]


def _run_of(*units: str) -> Bomb:
    """A unit again and again, up to 8 KB."""

    def bomb(rng: Random) -> str:
        unit = rng.choice(units)
        return unit * (rng.randint(_LENGTH // 2, _LENGTH) // len(unit))

    return bomb


def _nested_quotes(rng: Random) -> str:
    depth = rng.randint(500, 2000)
    opening, closing = rng.choice((('"', '"'), ("'", "'"), ("«", "»"), ("(", ")"), ("> ", "\n")))
    return opening * depth + "x" + closing * depth


def _zero_width(rng: Random) -> str:
    return "".join(rng.choice(_INVISIBLE) for _ in range(rng.randint(2000, 6000)))


def _noise(rng: Random) -> str:
    alphabet = ".,@:/-_+'\"()<>[]{}#%&=|\\~^*!?;0a \n\u0301\u200d\U0001f600"
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(2000, _LENGTH)))


BOMBS: dict[str, Bomb] = {
    "dots": _run_of("."),
    "a.a.": _run_of("a.", "a.b-", "a@", "a@a."),
    "quotes": _nested_quotes,
    "zero width": _zero_width,
    "digits": _run_of("1 ", "9", "+1", "1-", "12:"),
    "marks": _run_of("e\u0301\u0302", "-", "://", "\U0001f600", "\t ", "\ud800"),
    "words": _run_of("Maria", "Maria ", "eyJ", "password:", "Mr. "),
    "noise": _noise,
}
VALUES: dict[str, tuple[tuple[str, str], ...]] = {
    "structured": (
        ("mail me at {} please", "jana.petrov@firma.de"),
        ("my card is {} thanks", "4929 6617 9712 5431"),
        ("transfer it to {} today", "DE44 5001 0517 5407 3249 31"),
        ("call me: {}", "+49 30 901820"),
        ("my ssn is {}", "460-89-9847"),
    ),
    "names": (
        ("Hello, my name is {} and I need help.", "Maria Silva"),
        ("Please invite {} to the workspace.", "Peter Jenkins"),
        ("Best regards,\n{}", "Carlos Ortega"),
        ("I spoke with {} on the phone yesterday.", "Anna Kowalska"),
        ("The invoice should go to {}, please.", "Thomas Becker"),
    ),
}
"""A message and the value in it. Structured values are those of the redactor's contract."""
_LACED = 0.25
"""Share of values with invisible characters between their own."""


@dataclass(frozen=True, slots=True)
class Attack:
    """A text, the kind of its bomb, and the value in it that must not be readable afterwards."""

    text: str
    bomb: str
    kind: str
    secret: str

    def leaks(self, masked: str) -> bool:
        """Whether the value can be read in what is left, invisible characters aside."""
        return self.secret in _HIDDEN.sub("", masked)


def attacks(rng: Random, count: int = COUNT) -> list[Attack]:
    """Every kind of bomb, before, after and around each kind of value, in turn."""
    return [_attack(number, rng) for number in range(count)]


def struck(contender: Contender, texts: Sequence[Attack]) -> dict[str, Any]:
    """Times in ms over all texts, worst of each bomb, and how many values leaked, by kind."""
    leaks = dict.fromkeys(VALUES, 0)
    whole: list[str] = []
    for attack in texts:
        leaked = attack.leaks(contender.mask(attack.text))
        leaks[attack.kind] += leaked
        whole += [attack.bomb] * leaked
    kinds = {bomb: [one.text for one in texts if one.bomb == bomb] for bomb in BOMBS}
    return {
        **timed(contender, [one.text for one in texts]),
        "worst_by_bomb": {bomb: timed(contender, many)["worst"] for bomb, many in kinds.items()},
        "leaks": leaks,
        "leaks_by_bomb": {bomb: whole.count(bomb) for bomb in BOMBS},
    }


def _attack(number: int, rng: Random) -> Attack:
    bomb = tuple(BOMBS)[number % len(BOMBS)]
    kind = tuple(VALUES)[number // len(BOMBS) % len(VALUES)]
    message, secret = rng.choice(VALUES[kind])
    typed = _laced(secret, rng) if rng.random() < _LACED else secret
    before, after = rng.choice(((1, 0), (0, 1), (1, 1)))
    parts = (BOMBS[bomb](rng) * before, message.replace("{}", typed), BOMBS[bomb](rng) * after)
    return Attack("\n".join(filter(None, parts)), bomb, kind, secret)


def _laced(secret: str, rng: Random) -> str:
    return "".join(char + rng.choice(("", *_INVISIBLE)) for char in secret)
