"""Many schedules, one after the other, and what they found."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from typing_extensions import override

from tests.tools.simulation.schedule import Outcome, Schedule, in_memory, in_sql

SQL_EVERY = 250
"""One schedule of so many runs over SQL; it takes about ten times as long."""
COLLECT_EVERY = 500


@dataclass
class Summary:
    schedules: int = 0
    steps: int = 0
    kills: int = 0
    actions: int = 0
    effects: int = 0
    failed: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.schedules += 1
        self.steps += outcome.steps
        self.kills += outcome.kills
        self.actions += outcome.actions
        self.effects += outcome.effects
        if outcome.wrongs:
            self.failed.append(outcome)

    @override
    def __str__(self) -> str:
        return (
            f"{self.schedules} schedules, {self.steps} scheduling points, {self.kills} kills, "
            f"{self.actions} actions, {self.effects} effects: {len(self.failed)} failed"
        )


def one(seed: int) -> Outcome:
    """The schedule of a seed, on the journal that the seed chooses."""
    open_journal = in_sql() if seed % SQL_EVERY == SQL_EVERY - 1 else in_memory()
    return Schedule(seed, open_journal).run()


def run(
    seeds: Iterable[int],
    schedule: Callable[[int], Outcome] = one,
    enough: Callable[[Outcome], bool] = lambda _outcome: False,
) -> Summary:
    """Until the seeds or the patience end: `enough` is asked after each."""
    summary = Summary()
    with quiet(), collected_by_hand():
        for seed in seeds:
            outcome = schedule(seed)
            summary.add(outcome)
            if enough(outcome):
                break
            if summary.schedules % COLLECT_EVERY == 0:
                gc.collect()
    return summary


@contextmanager
def quiet() -> Iterator[None]:
    """What the code under test logs of faults that were planted is no news."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@contextmanager
def collected_by_hand() -> Iterator[None]:
    """Every schedule leaves cycles of dead tasks; looking for them all the time costs a fifth."""
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()
    gc.collect()


def described(outcome: Outcome) -> str:
    wrongs = "\n".join(f"    {wrong}" for wrong in outcome.wrongs)
    again = f"python -m tests.tools.simulation --replay {outcome.seed}"
    return f"seed {outcome.seed}: replay with {again}\n{wrongs}"
