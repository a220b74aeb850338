"""How a person's features go with an action: one number a group of features, by linear terms.

Which step helps whom is a product of a person and an action; shallow trees need many rows to find
products. These terms hold them ready: each action has its own slopes on the person's features,
fitted on what the features alone do not explain. The sum over a group is a column of the ranker.
Where the slopes tell what a step does once it is done, each sum counts times the chance that this
person does it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

FIT: Final = "fit."
"""Columns of this kind, by the name of their group."""
FAR: Final = 4.0
"""Standard deviations beyond which a number counts as no further away."""
LEAST: Final = 0.02
"""Chance of being done below which none is counted: a line knows no bounds."""
OWN: Final = "action"
"""The group of an action's own constant."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Term:
    """A standardised number, or one category's indicator less its share; 0 where it is missing."""

    column: str
    group: str
    centre: float
    scale: float = 1.0
    category: int | None = None


@dataclass(frozen=True)
class Affinity:
    """`slopes` holds, by action, its constant and then one slope a term; `done` the same of the
    chance that it is done, empty where slopes tell of what is shown."""

    terms: tuple[Term, ...] = ()
    slopes: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    done: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        return (OWN, *sorted({term.group for term in self.terms})) if self.terms else ()

    @cached_property
    def _matrix(self) -> Floats:
        """Terms x groups, the constant first."""
        places = [OWN, *(term.group for term in self.terms)]
        return np.array([[float(own == group) for group in self.groups] for own in places])

    @cached_property
    def _arrays(self) -> dict[str, Floats]:
        return {action: np.array(slopes) for action, slopes in self.slopes.items()}

    @cached_property
    def _chances(self) -> dict[str, Floats]:
        return {action: np.array(slopes) for action, slopes in self.done.items()}

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Whose codes `fits` takes, one a term."""
        return tuple(term.column for term in self.terms)

    @cached_property
    def _standards(self) -> tuple[Floats, Floats, Floats]:
        """Centre, scale, and the category of each term, nan for a number."""
        categories = [np.nan if t.category is None else float(t.category) for t in self.terms]
        return (
            np.array([term.centre for term in self.terms]),
            np.array([term.scale for term in self.terms]),
            np.array(categories),
        )

    def standard(self, codes: Floats) -> Floats:
        """Values of the terms, along the last axis; 0 where the code is missing."""
        centre, scale, category = self._standards
        marks = (codes == category) - centre
        numbers = np.minimum(np.maximum((codes - centre) / scale, -FAR), FAR)
        told = np.where(np.isnan(category), numbers, marks)
        return np.where(np.isnan(codes), 0.0, told)

    def fits(self, codes: Floats, actions: list[str]) -> Floats:
        """Actions x groups; an action that was not fitted goes with nobody."""
        told = np.concatenate([[1.0], self.standard(codes)])
        none = np.zeros(len(told))
        slopes = np.array([self._arrays.get(action, none) for action in actions])
        fits = (slopes * told) @ self._matrix
        if self.done:
            chances = np.array([self._chances.get(action, none) @ told for action in actions])
            fits *= np.clip(chances, LEAST, 1.0)[:, None]
        return np.asarray(fits)

    def told(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "terms": [[t.column, t.group, t.centre, t.scale, t.category] for t in self.terms],
            "slopes": {name: list(slopes) for name, slopes in sorted(self.slopes.items())},
            "done": {name: list(slopes) for name, slopes in sorted(self.done.items())},
        }


def affinity_of(told: Mapping[str, Any]) -> Affinity:
    """What `told` gave. Raises KeyError, TypeError, ValueError."""
    terms = tuple(
        Term(str(c), str(g), float(m), float(s), None if k is None else int(k))
        for c, g, m, s, k in told["terms"]
    )
    slopes, done = (
        {str(name): tuple(map(float, each)) for name, each in told.get(kind, {}).items()}
        for kind in ("slopes", "done")
    )
    if any(len(each) != len(terms) + 1 for each in (*slopes.values(), *done.values())):
        raise ValueError("slopes do not fit the terms")
    return Affinity(terms, slopes, done)
