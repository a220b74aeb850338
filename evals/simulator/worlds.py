"""What is true in a world: needs, what each step does for each, and what shows of a need."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ROLES: Final = ("admin", "end_user", "executive", "developer")
INTENTS: Final = ("reporting", "monitoring", "automation", "collaboration")
KINDS: Final = ("integrate", "build", "invite", "secure", "share", "template")
SIGNALS: Final = 6
"""Numbers that tell something of a need."""
NOISES: Final = 6
"""Numbers that tell nothing."""
TEMPTING: Final = 0
"""The action that is easy and lowers retention, in a world that has one."""


@dataclass(frozen=True)
class World:
    """`signal` is how far apart needs lie in each telling number, in standard deviations;
    `effect` scales what a right step does, in log odds of reaching the goal; `wrong_role` is the
    share of declared roles that are another's."""

    name: str
    seed: int
    signal: float = 0.6
    effect: float = 1.0
    actions: int = 12
    wrong_role: float = 0.15
    silent: float = 0.25
    shares: tuple[float, ...] = (0.30, 0.28, 0.22, 0.20)
    harmful: bool = False
    base: float = -2.2

    @property
    def needs(self) -> int:
        return len(self.shares)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(f"action_{n:02d}" for n in range(self.actions))

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        return tuple(KINDS[n % len(KINDS)] for n in range(self.actions))

    @cached_property
    def efforts(self) -> tuple[int, ...]:
        rng = np.random.default_rng((self.seed, 1))
        return tuple(int(n) for n in rng.integers(1, 5, self.actions))

    @cached_property
    def effects(self) -> Floats:
        """Needs x actions, log odds of reaching the goal: two steps are right for a need, two help
        everybody a little, the rest does next to nothing."""
        rng = np.random.default_rng((self.seed, 2))
        effects = rng.normal(0.0, 0.05, (self.needs, self.actions))
        order = rng.permutation(np.arange(1, self.actions))
        for need in range(self.needs):
            effects[need, order[2 * need : 2 * need + 2]] += rng.uniform(1.8, 2.4, 2)
        effects[:, order[-2:]] += rng.uniform(0.3, 0.5, 2)
        return np.asarray(effects * self.effect)

    @cached_property
    def completion(self) -> Floats:
        """Needs x actions, log odds that somebody who tries also finishes: effort costs, and what
        one needs is finished more often."""
        rng = np.random.default_rng((self.seed, 3))
        own = rng.normal(1.8, 0.3, self.actions) - 0.3 * np.array(self.efforts)
        drawn = 0.8 * (self.effects > 1.0 * max(self.effect, 1e-9))
        odds = own + drawn if self.effect else np.tile(own, (self.needs, 1))
        if self.harmful:
            odds[:, TEMPTING] = 2.5
        return np.asarray(odds)

    @cached_property
    def retention(self) -> Floats:
        """Log odds of still being there after 30 days, by action completed."""
        harm = np.zeros(self.actions)
        if self.harmful:
            harm[TEMPTING] = -1.5
        return harm

    @cached_property
    def roles(self) -> Floats:
        """Needs x roles: true role of people with a need."""
        even = np.full((self.needs, len(ROLES)), 0.15)
        even[np.arange(self.needs), np.arange(self.needs) % len(ROLES)] = 0.55
        return np.asarray(even / even.sum(axis=1, keepdims=True))

    @cached_property
    def intents(self) -> Floats:
        """Needs x intents: what people with a need say they came for, when they say it."""
        even = np.full((self.needs, len(INTENTS)), 0.16)
        even[np.arange(self.needs), (np.arange(self.needs) + 1) % len(INTENTS)] = 0.52
        return np.asarray(even / even.sum(axis=1, keepdims=True))

    @cached_property
    def means(self) -> Floats:
        """Needs x telling numbers."""
        rng = np.random.default_rng((self.seed, 4))
        return np.asarray(self.signal * rng.normal(0, 1, (self.needs, SIGNALS)))

    @cached_property
    def order_by_role(self) -> NDArray[np.intp]:
        """Roles x actions: what people who know the product somewhat would put first for a role."""
        rng = np.random.default_rng((self.seed, 5))
        shares = self.roles.T * np.array(self.shares)
        shares /= shares.sum(axis=1, keepdims=True)
        guess = shares @ self.effects + rng.normal(0, 0.35, (len(ROLES), self.actions))
        return np.asarray(np.argsort(-guess, axis=1), dtype=np.intp)


def _worlds() -> dict[str, World]:
    made = {f"normal-{n}": World(f"normal-{n}", seed) for n, seed in enumerate((101, 202, 303), 1)}
    for world in (
        World("weak", 101, signal=0.3),
        World("null", 404, effect=0.0),
        World("tiny", 101),
        World("harm", 101, harmful=True),
        World("minority", 101, shares=(0.45, 0.30, 0.20, 0.05)),
    ):
        made[world.name] = world
    return made


WORLDS: Final = _worlds()
