"""The sentences of one epoch: fitted ones, partly with other names or case, and chat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from random import Random

from guardrails.names.augmentation import Pools, beside, filled, recased, swapped, templates
from guardrails.names.corpus import PROSE, QUESTIONS, Labelled


@dataclass(frozen=True, slots=True)
class Mix:
    """How many of what an epoch holds, and how often a sentence is changed; chosen on selection."""

    swap: float = 0.6
    lower: float = 0.15
    upper: float = 0.05
    title: float = 0.03
    chat: int = 1500
    prose: int = 1500
    questions: int = 700
    chat_with_prose: float = 0.3
    address: float = 0.4
    """Messages with an address, for each one without; none where an address is no LOCATION."""


class Lessons:
    """Draws epochs; the same seed draws the same ones."""

    def __init__(
        self, labelled: Sequence[Labelled], prose: Sequence[Labelled], pools: Pools, mix: Mix
    ) -> None:
        self._labelled, self._prose, self._pools, self._mix = labelled, prose, pools, mix
        by_language = dict(templates())
        addresses = by_language.pop("addresses")
        self._groups = [by_language.pop("en"), [*chain(*by_language.values())]]
        self._groups += [addresses] * (mix.address > 0)
        self._weights = [0.7, 0.3, mix.address][: len(self._groups)]

    def epoch(self, rng: Random) -> list[Labelled]:
        """Each labelled sentence once; messages and sentences without names as `Mix` has them."""
        drawn = [self._maybe_swapped(sentence, rng) for sentence in self._labelled]
        drawn += [self._chat(rng) for _ in range(self._mix.chat)]
        for source, count in ((PROSE, self._mix.prose), (QUESTIONS, self._mix.questions)):
            plain = [one for one in self._prose if one.source == source]
            drawn += rng.sample(plain, min(count, len(plain)))
        rng.shuffle(drawn)
        return [self._maybe_recased(sentence, rng) for sentence in drawn]

    def _maybe_swapped(self, sentence: Labelled, rng: Random) -> Labelled:
        swap = sentence.names and rng.random() < self._mix.swap
        return swapped(sentence, self._pools, rng) if swap else sentence

    def _chat(self, rng: Random) -> Labelled:
        (group,) = rng.choices(self._groups, self._weights)
        message = filled(rng.choice(group), self._pools, rng)
        if self._prose and rng.random() < self._mix.chat_with_prose:
            return beside(message, rng.choice(self._prose), rng)
        return message

    def _maybe_recased(self, sentence: Labelled, rng: Random) -> Labelled:
        at = rng.random()
        for share, change in (
            (self._mix.lower, str.lower),
            (self._mix.upper, str.upper),
            (self._mix.title, str.title),
        ):
            if at < share:
                return recased(sentence, change)
            at -= share
        return sentence
