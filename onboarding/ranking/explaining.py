"""Why this card: the group of features that put it before its rival, in an approved sentence.

A group is named only when it moved the score (exact SHAP of the card minus that of its rival) and
when taking it out, its columns at their references, lowers both the card's score and its lead. What
cannot be shown so is explained by the rule's own reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onboarding.ranking.calibration import sigmoid
from onboarding.ranking.encoding import Rows
from onboarding.ranking.sentences import OTHER, Sentences
from onboarding.ranking.types import Rung
from onboarding.ranking.version import Version
from onboarding.types import Candidate, Snapshot, Why

TRIED: Final = 3
"""Groups of a card that are checked, the strongest first."""
CHOICE: Final = "action"
"""The group of the action itself: its reference is showing nothing."""


class Explained(NamedTuple):
    """A card, and what it was preferred to."""

    chosen: Candidate
    rival: Candidate


class _Claim(NamedTuple):
    """That `group` put card `card` where it is, by `by` in log odds."""

    card: int
    group: str
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

    def whys(self, snapshot: Snapshot, cards: Sequence[Explained]) -> dict[str, Why]:
        """By action; a card of which nothing could be shown is absent."""
        if not cards:
            return {}
        pairs = [candidate for card in cards for candidate in card]
        rows = self.version.encoding.rows(snapshot.values, (*pairs, None))
        claims = self.claims(snapshot, rows, len(cards))
        shown = self._shown(rows, claims)
        whys: dict[str, Why] = {}
        for claim in (claim for claim, holds in zip(claims, shown, strict=True) if holds):
            name = cards[claim.card].chosen.action
            said = self._sentences.spoken(claim.group, snapshot.values)
            if name not in whys and said is not None:
                columns = tuple(self.version.encoding.names[n] for n in self.groups[claim.group])
                whys[name] = Why(said.key, said.values, columns, claim.by)
        return whys

    def claims(self, snapshot: Snapshot, rows: Rows, cards: int) -> list[_Claim]:
        """The strongest groups of each card that have a sentence which is true of the snapshot."""
        parts = self.version.champion.contributions(rows[: 2 * cards])[:, :-1]
        lead = parts[0::2] - parts[1::2]
        spoken = [
            name
            for name in self.groups
            if name != OTHER and self._sentences.spoken(name, snapshot.values) is not None
        ]
        claims: list[_Claim] = []
        for card in range(cards):
            by = {name: float(lead[card, self.groups[name]].sum()) for name in spoken}
            best = sorted((n for n in spoken if by[n] > 0), key=lambda name: (-by[name], name))
            claims += [_Claim(card, name, by[name]) for name in best[:TRIED]]
        return claims

    def _shown(self, rows: Rows, claims: Sequence[_Claim]) -> list[bool]:
        """Whether card and lead fall without the group: one batch for all claims."""
        if not claims:
            return []
        nothing = rows[-1]
        batch = [rows]
        for claim in claims:
            three = np.vstack([rows[2 * claim.card : 2 * claim.card + 2], nothing])
            batch.append(self.without(three, claim.group))
        raw = self.version.champion.raw(np.vstack(batch))
        lift = self._lift(raw[: len(rows)])
        fallen = [self._lift(raw[at : at + 3]) for at in range(len(rows), len(raw), 3)]
        best = lift[0 : len(lift) - 1 : 2].max(initial=-np.inf)
        return [
            one[0] < lift[2 * claim.card]
            and one[0] - one[1] < lift[2 * claim.card] - lift[2 * claim.card + 1]
            and (claim.group != CHOICE or self._is_best(lift, claim.card, best))
            for claim, one in zip(claims, fallen, strict=True)
        ]

    def without(self, rows: Rows, group: str) -> Rows:
        """The same rows with the group's columns at their references; the action's own columns are
        those of the last row, which shows nothing."""
        changed = rows.copy()
        columns = self.groups[group]
        if group == CHOICE:
            changed[:, columns] = rows[-1, columns]
        else:
            changed[:, columns] = self.version.encoding.references[columns]
        return changed

    def _lift(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the score is made of, for rows that end with the one that shows nothing."""
        chances = self.version.calibration(sigmoid(raw))
        return chances - chances[-1] if self.version.rung is Rung.ACTIVATE else chances

    @staticmethod
    def _is_best(lift: NDArray[np.float64], card: int, best: float) -> bool:
        """`More often than any other step` is said of the first alone."""
        return bool(lift[2 * card] >= best and lift[2 * card] > lift[2 * card + 1])
