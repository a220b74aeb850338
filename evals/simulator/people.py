"""People of a world: what they are, what shows of it, and what they may do now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evals.simulator.worlds import INTENTS, NOISES, ROLES, SIGNALS, World

Floats = NDArray[np.float64]
SOURCES = ("search", "advert", "invite", "partner")


class Offer(NamedTuple):
    """A step that is open to somebody; `order` is its place by the host's rules."""

    action: str
    kind: str
    effort: int
    order: int


@dataclass(frozen=True, slots=True)
class Visit:
    """What a host knows when somebody comes. `day` counts from the world's first."""

    number: int
    user: str
    account: str
    day: float
    values: Mapping[str, float | str]
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class People:
    """One entry a person. What is named `_` is what nobody sees."""

    world: World
    seed: int
    _needs: NDArray[np.intp]
    _skill: Floats
    roles: NDArray[np.intp]
    intents: NDArray[np.intp]
    sources: NDArray[np.intp]
    numbers: Floats
    accounts: NDArray[np.intp]
    signed_up: Floats

    @classmethod
    def drawn(cls, world: World, count: int, seed: int) -> People:
        rng = np.random.default_rng((world.seed, seed, 6))
        needs = rng.choice(world.needs, count, p=world.shares)
        skill = rng.normal(0, 1, count)
        roles = _by_row(rng, world.roles[needs])
        wrong = rng.random(count) < world.wrong_role
        roles[wrong] = rng.integers(0, len(ROLES), int(wrong.sum()))
        intents = _by_row(rng, world.intents[needs])
        intents[rng.random(count) < world.silent] = -1
        telling = world.means[needs] + rng.normal(0, 1, (count, SIGNALS))
        skilled = skill[:, None] * 0.8 + rng.normal(0, 1, (count, 2))
        numbers = np.hstack([telling, skilled, rng.normal(0, 1, (count, NOISES))])
        sizes = rng.geometric(0.5, count)
        accounts = np.repeat(np.arange(count), sizes)[:count]
        sources, days = rng.integers(0, len(SOURCES), count), np.sort(rng.uniform(0, 60, count))
        return cls(world, seed, needs, skill, roles, intents, sources, numbers, accounts, days)

    def __len__(self) -> int:
        return len(self._needs)

    def values(self, person: int, visit: int, done: int, tried: int) -> dict[str, float | str]:
        """What features would show of them."""
        told: dict[str, float | str] = {
            f"events_{n}": float(round(value, 6)) for n, value in enumerate(self.numbers[person])
        }
        intent = self.intents[person]
        told |= {
            "role": ROLES[self.roles[person]],
            "intent": INTENTS[intent] if intent >= 0 else "unknown",
            "source": SOURCES[self.sources[person]],
            "sessions_7d": float(visit),
            "steps_done": float(done),
            "interest_tried": float(tried),
        }
        return told

    def offers(self, person: int, done: NDArray[np.bool_]) -> tuple[Offer, ...]:
        """Steps not done yet, in the order of the host's rules for the declared role."""
        world = self.world
        order = [n for n in world.order_by_role[self.roles[person]] if not done[n]]
        return tuple(
            Offer(world.names[n], world.kinds[n], world.efforts[n], place)
            for place, n in enumerate(order)
        )

    def posterior(self) -> Floats:
        """People x needs: the best that can be known of a need from what shows."""
        world = self.world
        told = np.log(np.array(world.shares))[None, :].repeat(len(self), axis=0)
        mixed = (1 - world.wrong_role) * world.roles + world.wrong_role / len(ROLES)
        told += np.log(mixed[:, self.roles].T)
        said = self.intents >= 0
        told[said] += np.log(world.intents[:, self.intents[said]].T)
        gaps = self.numbers[:, None, :SIGNALS] - world.means[None]
        told -= 0.5 * np.square(gaps).sum(axis=2)
        raised = np.exp(told - told.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))

    def certain(self) -> Floats:
        """People x needs: the truth."""
        return np.asarray(np.eye(self.world.needs)[self._needs])

    def truth(self, person: int) -> tuple[int, float]:
        """Need and skill, for the one who acts them out."""
        return int(self._needs[person]), float(self._skill[person])


def _by_row(rng: np.random.Generator, chances: Floats) -> NDArray[np.intp]:
    """One draw a row."""
    points = rng.random((len(chances), 1))
    return np.asarray((points > np.cumsum(chances, axis=1)[:, :-1]).sum(axis=1), dtype=np.intp)
