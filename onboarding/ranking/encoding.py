"""Snapshot and candidate -> one row of numbers, by columns that a model was fitted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onboarding.ranking.affinity import FIT, Affinity, affinity_of
from onboarding.types import UNKNOWN, Candidate, FeatureValue, Profile, Snapshot

Rows = NDArray[np.float64]
ACTION: Final = "action."
"""Columns of the candidate begin with this; all others are of the person."""
ID, KIND, EFFORT, STEP, ORDER, RATE = (
    f"{ACTION}{name}" for name in ("id", "kind", "effort", "step", "order", "rate")
)
ROLE: Final = "role"


@dataclass(frozen=True, slots=True)
class Column:
    """`categories` None is a number; `reference` stands in where the column is taken out: the
    median, or the place of the commonest category. `monotone` is -1, 0 or 1."""

    name: str
    categories: tuple[str, ...] | None = None
    reference: float = 0.0
    monotone: int = 0

    def code(self, value: FeatureValue | None) -> float:
        """nan for what is missing, or a category that the model has not seen."""
        if value is None:
            return float("nan")
        if self.categories is None:
            return float(value) if not isinstance(value, str) else float("nan")
        text = str(value)
        return float(self.categories.index(text)) if text in self.categories else float("nan")


@dataclass(frozen=True)
class Encoding:
    """`rates` is the smoothed share of completion by action and role, of the training window;
    "action|" alone is the action's own. `affinity` fills the columns `fit.GROUP`."""

    columns: tuple[Column, ...]
    rates: Mapping[str, float]
    affinity: Affinity = field(default_factory=Affinity)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @cached_property
    def categorical(self) -> list[int]:
        return [at for at, each in enumerate(self.columns) if each.categories is not None]

    @cached_property
    def references(self) -> Rows:
        return np.array([column.reference for column in self.columns])

    @cached_property
    def _mine(self) -> tuple[tuple[int, Column], ...]:
        return tuple(
            (at, each)
            for at, each in enumerate(self.columns)
            if not each.name.startswith((ACTION, FIT))
        )

    @cached_property
    def _actions(self) -> tuple[tuple[int, Column], ...]:
        return tuple(
            (at, each) for at, each in enumerate(self.columns) if each.name.startswith(ACTION)
        )

    @cached_property
    def fits(self) -> list[int]:
        """Places of the columns `fit.GROUP`."""
        return [self.names.index(f"{FIT}{group}") for group in self.affinity.groups]

    @cached_property
    def _told_by(self) -> list[int]:
        return [self.names.index(name) for name in self.affinity.columns]

    def rows(
        self, values: Mapping[str, FeatureValue], candidates: Sequence[Candidate | None]
    ) -> Rows:
        """One row a candidate; None is the arm that shows nothing."""
        row = np.full(len(self.columns), np.nan)
        for at, column in self._mine:
            row[at] = column.code(values.get(column.name))
        rows = np.tile(row, (len(candidates), 1))
        role = str(values.get(ROLE, UNKNOWN))
        for line, candidate in enumerate(candidates):
            told = self._told(candidate, role)
            for at, column in self._actions:
                rows[line, at] = column.code(told.get(column.name))
        if self.affinity.groups:
            actions = [each.action if each else "" for each in candidates]
            rows[:, self.fits] = self.affinity.fits(row[self._told_by], actions)
        return rows

    def _told(self, candidate: Candidate | None, role: str) -> dict[str, FeatureValue]:
        if candidate is None:
            return {ID: "", KIND: ""}
        told: dict[str, FeatureValue] = {
            ID: candidate.action,
            KIND: candidate.kind,
            EFFORT: float(candidate.effort),
            STEP: float(candidate.step is not None),
            ORDER: float(candidate.order),
        }
        rate = self.rates.get(f"{candidate.action}|{role}", self.rates.get(f"{candidate.action}|"))
        return told if rate is None else {**told, RATE: rate}

    def missing(self, values: Mapping[str, FeatureValue]) -> float:
        """Share of the person's columns that the snapshot does not have."""
        absent = sum(column.name not in values for _, column in self._mine)
        return absent / len(self._mine) if self._mine else 0.0

    def unseen(
        self, values: Mapping[str, FeatureValue], candidates: Sequence[Candidate]
    ) -> str | None:
        """The first column whose category the model has not been fitted on."""
        for _, column in self._mine:
            value = values.get(column.name)
            known = column.categories
            if known is not None and value is not None and str(value) not in known:
                return column.name
        actions = next((c.categories for c in self.columns if c.name == ID), ()) or ()
        return next((ID for each in candidates if each.action not in actions), None)

    def told(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "columns": [asdict(column) for column in self.columns],
            "rates": dict(sorted(self.rates.items())),
            "affinity": self.affinity.told(),
        }


def encoding_of(told: Mapping[str, Any]) -> Encoding:
    """What `told` gave. Raises KeyError, TypeError."""
    columns = tuple(
        Column(
            each["name"],
            None if each["categories"] is None else tuple(each["categories"]),
            float(each["reference"]),
            int(each["monotone"]),
        )
        for each in told["columns"]
    )
    rates = {str(name): float(rate) for name, rate in told["rates"].items()}
    return Encoding(columns, rates, affinity_of(told["affinity"]))


def with_profile(snapshot: Snapshot, profile: Profile, names: Sequence[str]) -> Snapshot:
    """The snapshot that is decided on and stored, with the profile's facts beside the features:
    a category `NAME` by the rule of confidence, and `odds.NAME.VALUE` for what was inferred."""
    told: dict[str, FeatureValue] = {name: profile.value(name) for name in names}
    for name in names:
        told |= {f"odds.{name}.{value}": p for value, p in profile.odds.get(name, {}).items()}
    return Snapshot(snapshot.at, {**snapshot.values, **told}, snapshot.spec)
