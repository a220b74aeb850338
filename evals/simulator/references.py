"""How good a policy could be: uniform, one order for all, the host's rules, and two oracles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evals.simulator.people import People, Visit
from evals.simulator.running import run

Floats = NDArray[np.float64]
CARDS = 3


@dataclass(frozen=True)
class References:
    """Values of the same people under each. `share` is (V - static) / (observable - static): the
    latent oracle is out of anybody's reach, so the observable one is the measure."""

    people: People

    @cached_property
    def values(self) -> dict[str, float]:
        return {
            "uniform": run(self.people, self._uniform).value,
            "static": run(self.people, self._by(self._alike())).value,
            "role rules": run(self.people, _rules).value,
            "observable oracle": run(self.people, self._by(self.people.posterior())).value,
            "latent oracle": run(self.people, self._by(self.people.certain())).value,
        }

    def share(self, value: float) -> float:
        room = self.values["observable oracle"] - self.values["static"]
        return (value - self.values["static"]) / room if room > 0 else float("nan")

    def _alike(self) -> Floats:
        """Nobody is told from anybody: the best single order."""
        shares = np.array(self.people.world.shares)
        return np.tile(shares, (len(self.people), 1))

    def _by(self, belief: Floats) -> _Greedy:
        return _Greedy(self.people, belief)

    def _uniform(self, visit: Visit, person: int) -> tuple[str, ...]:
        rng = np.random.default_rng((self.people.seed, visit.number, person))
        names = [offer.action for offer in visit.offers]
        return tuple(names[n] for n in rng.permutation(len(names))[:CARDS])


@dataclass(frozen=True)
class _Greedy:
    """What raises the chance of the goal most, under a belief about needs."""

    people: People
    belief: Floats

    @cached_property
    def _gain(self) -> Floats:
        """Needs x actions: finishing it, times what it then adds to the chance."""
        world = self.people.world
        finishes = 1 / (1 + np.exp(-world.completion))
        before = 1 / (1 + np.exp(-world.base))
        after = 1 / (1 + np.exp(-(world.base + world.effects)))
        return np.asarray(finishes * (after - before))

    def __call__(self, visit: Visit, person: int) -> tuple[str, ...]:
        gain = self.belief[person] @ self._gain
        places = {name: n for n, name in enumerate(self.people.world.names)}
        open_now = [offer.action for offer in visit.offers]
        return tuple(sorted(open_now, key=lambda name: (-gain[places[name]], name))[:CARDS])


def _rules(visit: Visit, person: int) -> tuple[str, ...]:
    names: Sequence[str] = [offer.action for offer in visit.offers]
    return tuple(names[:CARDS]) if person >= 0 else ()
