"""Why this card: the group of features that holds it at its place, in an approved sentence.

A group is named only when it moved the score (exact SHAP of the card minus that of the next below)
and when both of these were tried and hold: without the group, its columns at their references, the
card falls behind the next below; and with the group taken out of every row, the card's lead over
the mean of the others falls, so that it speaks for this step and not for all. Else the next group
is tried, and in the end the two strongest together. Where none holds, such as for a card that leads
by more than these, the rule's own reason is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onboarding.ranking.calibration import sigmoid
from onboarding.ranking.encoding import Rows
from onboarding.ranking.sentences import OTHER, Sentences, joined
from onboarding.ranking.types import Rung
from onboarding.ranking.version import Version
from onboarding.types import Candidate, Snapshot, Why

TRIED: Final = 4
"""Groups of a card that are tried, the strongest first."""
OTHERS: Final = 7
"""Of a long list, as many as the card is compared with: the first by score."""
CHOICE: Final = "action"
"""The group of the action itself: its reference is showing nothing."""


class Place(NamedTuple):
    """One of the order, best first, with the score that put it there."""

    candidate: Candidate
    score: float


class _Claim(NamedTuple):
    """That these groups hold the card at place `at`, by `by` in log odds over the next."""

    at: int
    groups: tuple[str, ...]
    by: float


class Explainer:
    """Of one version; the sentences are approved ones."""

    def __init__(self, version: Version, sentences: Sentences) -> None:
        self.version = version
        self._sentences = sentences

    @cached_property
    def groups(self) -> Mapping[str, NDArray[np.intp]]:
        """The columns of each group, by name."""
        names = [self._sentences.group_of(each) for each in self.version.encoding.names]
        return {
            name: np.array([at for at, own in enumerate(names) if own == name])
            for name in dict.fromkeys(names)
        }

    def whys(
        self, snapshot: Snapshot, order: Sequence[Place], cards: Sequence[str]
    ) -> dict[str, Why]:
        """By action; a card of which nothing could be shown is absent."""
        rows = self.version.encoding.rows(
            snapshot.values, (*(each.candidate for each in order), None)
        )
        names = [each.candidate.action for each in order]
        places = [names.index(card) for card in cards if card in names[:-1]]
        claims = self._claims(snapshot, rows, places)
        held = self._held(rows, order, claims)
        whys: dict[str, Why] = {}
        for claim in (claim for claim, holds in zip(claims, held, strict=True) if holds):
            said = [self._sentences.spoken(name, snapshot.values) for name in claim.groups]
            why = joined([each for each in said if each is not None])
            columns = tuple(self.version.encoding.names[n] for n in self.columns(claim.groups))
            made = replace(why, group=columns, contribution=claim.by)
            whys.setdefault(names[claim.at], made)
        return whys

    def _claims(self, snapshot: Snapshot, rows: Rows, places: Sequence[int]) -> list[_Claim]:
        """The strongest groups of each card that have a sentence which is true of the snapshot."""
        if not places:
            return []
        spoken = [
            name
            for name in self.groups
            if name != OTHER and self._sentences.spoken(name, snapshot.values) is not None
        ]
        needed = sorted({at for place in places for at in (place, place + 1)})
        parts = self.version.champion.contributions(rows[needed])[:, :-1]
        line = {at: number for number, at in enumerate(needed)}
        claims: list[_Claim] = []
        for place in places:
            lead = parts[line[place]] - parts[line[place + 1]]
            by = {name: float(lead[self.groups[name]].sum()) for name in spoken}
            best = sorted((n for n in spoken if by[n] > 0), key=lambda name: (-by[name], name))
            first = [n for n in best if n != CHOICE or place == 0][:TRIED]
            named = [(name,) for name in first] + [tuple(first[:2])] * (len(first) > 1)
            claims += [_Claim(place, each, sum(by[name] for name in each)) for each in named]
        return claims

    def _held(self, rows: Rows, order: Sequence[Place], claims: Sequence[_Claim]) -> list[bool]:
        """Whether each claim is true: one batch for all."""
        if not claims:
            return []
        beside = [_beside(claim.at, len(order)) for claim in claims]
        batch = [rows]
        for claim, others in zip(claims, beside, strict=True):
            batch.append(self.without(rows[[claim.at, *others, len(order)]], claim.groups))
        ends = np.cumsum([len(each) for each in batch])
        lifts = [self._lift(raw) for raw in
                 np.split(self.version.champion.raw(np.vstack(batch)), ends[:-1])]  # fmt: skip
        held = []
        for claim, others, fallen in zip(claims, beside, lifts[1:], strict=True):
            card, below = order[claim.at], order[claim.at + 1]
            worth = card.candidate.value if self.version.rung is Rung.COMPLETE else 1.0
            loss = worth * (lifts[0][claim.at] - fallen[0])
            lead = lifts[0][claim.at] - lifts[0][others].mean()
            left = fallen[0] - fallen[1:-1].mean()
            held.append(bool(card.score - loss < below.score and left < lead))
        return held

    def columns(self, groups: Sequence[str]) -> NDArray[np.intp]:
        """Places of all their columns."""
        return np.concatenate([self.groups[name] for name in groups])

    def without(self, rows: Rows, groups: Sequence[str]) -> Rows:
        """The same rows with the groups' columns at their references; the action's own columns are
        those of the last row, which shows nothing."""
        changed = rows.copy()
        for name in groups:
            columns = self.groups[name]
            references = self.version.encoding.references[columns]
            changed[:, columns] = rows[-1, columns] if name == CHOICE else references
        return changed

    def _lift(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the score is made of, for rows that end with the one that shows nothing."""
        chances = self.version.calibration(sigmoid(raw))
        return chances - chances[-1] if self.version.rung is Rung.ACTIVATE else chances


def _beside(place: int, count: int) -> list[int]:
    """Places of those that a card is compared with."""
    return [at for at in range(count) if at != place][:OTHERS]
