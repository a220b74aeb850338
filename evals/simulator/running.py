"""Visits one by one: something is shown, somebody tries it or not, and in the end the goal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from evals.simulator.people import People, Visit

Floats = NDArray[np.float64]
ATTENTION: Final = (0.90, 0.07, 0.03)
"""Which card somebody looks at first."""
TRIES: Final = 0.95
UNAIDED: Final = 0.12
"""Share of visits in which people do something by themselves."""
MOST_VISITS: Final = 4
STAYS: Final = 0.38
"""Chance of another visit; more for who got something done."""
LEARNS: Final = 0.12


class Shows(Protocol):
    """What is shown at a visit: up to three actions, best first. `n` tells visits apart."""

    def __call__(self, visit: Visit, person: int) -> tuple[str, ...]: ...


class Happening(NamedTuple):
    """`action` is empty for the goal."""

    user: str
    account: str
    action: str
    day: float


@dataclass(frozen=True, slots=True)
class Result:
    """`chances` and `retained` are true probabilities given what each person did, so that a value
    has no noise of the last draw."""

    happenings: tuple[Happening, ...]
    chances: Floats
    retained: Floats

    @property
    def value(self) -> float:
        return float(self.chances.mean())


@dataclass(slots=True)
class _Life:
    """One person on the way. All their draws come from one generator, so that two policies are
    compared on the same luck."""

    rng: np.random.Generator
    need: int
    skill: float
    done: NDArray[np.bool_]
    tried: int = 0
    day: float = 0.0


def run(people: People, shows: Shows) -> Result:
    """Every person from sign-up to the goal, or away."""
    happenings: list[Happening] = []
    chances, retained = np.zeros(len(people)), np.zeros(len(people))
    number = 0
    for person in range(len(people)):
        life = _born(people, person)
        for visit in range(MOST_VISITS):
            _visit(people, person, life, visit, number, shows, happenings)
            number += 1
            stays = life.rng.random()
            if stays > STAYS + LEARNS * life.done.any():
                break
            life.day += 0.2 + life.rng.exponential(1.0)
        chances[person], retained[person] = _ending(people, life)
        _goal(people, person, life, chances[person], happenings)
    return Result(tuple(happenings), chances, retained)


def _born(people: People, person: int) -> _Life:
    rng = np.random.default_rng((people.world.seed, people.seed, 7, person))
    need, skill = people.truth(person)
    done = np.zeros(people.world.actions, dtype=bool)
    return _Life(rng, need, skill, done, day=float(people.signed_up[person]))


def _visit(  # noqa: PLR0913, PLR0917  # a visit touches all of it
    people: People,
    person: int,
    life: _Life,
    number: int,
    unique: int,
    shows: Shows,
    happenings: list[Happening],
) -> None:
    luck = life.rng.random(6)  # drawn before anything is shown: the same for every policy
    offers = people.offers(person, life.done)
    values = people.values(person, number, int(life.done.sum()), life.tried)
    who, account = f"u{person}", f"a{people.accounts[person]}"
    cards = shows(Visit(unique, who, account, life.day, values, offers), person)
    tried: list[str] = []
    if cards and luck[0] < TRIES:
        look = int(np.searchsorted(np.cumsum(ATTENTION), luck[1]))
        tried.append(cards[min(look, len(cards) - 1)])
        life.tried += 1
    if offers and luck[2] < UNAIDED:
        tried.append(offers[int(luck[3] * len(offers))].action)
    for action, point in zip(tried, luck[4:], strict=False):
        at = people.world.names.index(action)
        if not life.done[at] and point < _finishes(people, life, at):
            life.done[at] = True
            happenings.append(Happening(who, account, action, life.day + 0.02))


def _finishes(people: People, life: _Life, action: int) -> float:
    odds = people.world.completion[life.need, action] + 0.4 * life.skill
    return float(1 / (1 + np.exp(-odds)))


def _ending(people: People, life: _Life) -> tuple[float, float]:
    world = people.world
    reached = world.base + 0.5 * life.skill + world.effects[life.need, life.done].sum()
    chance = 1 / (1 + np.exp(-reached))
    stays = -0.8 + 1.6 * chance + world.retention[life.done].sum()
    return float(chance), float(1 / (1 + np.exp(-stays)))


def _goal(
    people: People, person: int, life: _Life, chance: float, happenings: list[Happening]
) -> None:
    reached, late = life.rng.random(2)
    if reached < chance:
        day = life.day + 0.1 + 5 * late
        happenings.append(Happening(f"u{person}", f"a{people.accounts[person]}", "", day))
