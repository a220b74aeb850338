"""One decision with its explanation, 30 candidates by 60 features, one thread: by turns with the
learned ranker and with the curated order, which is the baseline; each after the risk that the
person stalls, by a model of as many features and by the rule.

python benchmarks/ranking.py --decisions 2000
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np

from onboarding.ranking import (
    Asked,
    Explainer,
    ModelRanker,
    Policy,
    Ranker,
    RuleRanker,
    Rung,
    Version,
    approved,
    decide,
    opened,
)
from onboarding.training import (
    Periods,
    Request,
    Row,
    RuleStalls,
    StallModel,
    fit_stalls,
    learn,
    open_stalls,
)
from onboarding.types import Candidate, Person, Snapshot

ACTIONS, NUMBERS, ROWS = 30, 52, 6000
KINDS = ("integrate", "build", "invite", "secure", "share")
CATEGORIES = {"role": 4, "intent": 4, "industry": 4, "size": 5}
PREFIXES = ("events", "errors", "steps", "team", "interest", "sessions", "hesitation", "progress")
AT = datetime(2026, 3, 2, tzinfo=UTC)


def candidates() -> tuple[Candidate, ...]:
    return tuple(
        Candidate(f"action_{n}", KINDS[n % len(KINDS)], 1 + n % 5, n, f"action.action_{n}")
        for n in range(ACTIONS)
    )


def values(rng: np.random.Generator) -> dict[str, float | str]:
    numbers = {f"{PREFIXES[n % 8]}_{n}": float(v) for n, v in enumerate(rng.normal(size=NUMBERS))}
    words = {name: f"{name}{rng.integers(count)}" for name, count in CATEGORIES.items()}
    return {**numbers, **words}


def rows(rng: np.random.Generator, short: tuple[Candidate, ...]) -> Iterator[Row]:
    chances = {each.action: 1 / len(short) for each in short}
    for number in range(ROWS):
        told = values(rng)
        at = int(rng.integers(len(short)))
        odds = -1 + 1.5 * (told["role"] == f"role{at % 4}") + 0.4 * float(told["events_0"])
        won = bool(rng.random() < 1 / (1 + np.exp(-odds)))
        yield Row(
            f"d{number}", f"u{number}", f"a{number}", AT + timedelta(minutes=number), short,
            chances, short[at].action, told, "bench", won, won,
        )  # fmt: skip


def fitted(short: tuple[Candidate, ...]) -> Version:
    request = Request("bench", Rung.ACTIVATE)
    return opened(learn(list(rows(np.random.default_rng(5), short)), request).files)


def asked(number: int, rng: np.random.Generator, given: tuple[Candidate, ...]) -> Asked:
    person = Person("t", f"u{number}", "acme")
    return Asked(f"{number:022d}", person, AT, given, Snapshot(AT, values(rng), "bench"), number)


def stalls(rng: np.random.Generator) -> StallModel:
    """Of the size that the recipe makes, on the numbers of `values`."""
    names = tuple(name for name, told in values(rng).items() if isinstance(told, float))
    table = rng.normal(size=(ROWS, len(names)))
    gone = (rng.random(ROWS) < 1 / (1 + np.exp(-table[:, 0] - table[:, 1]))).astype(float)
    people = tuple(f"p{n // 6}" for n in range(ROWS))
    return open_stalls(fit_stalls(Periods(names, table, gone, people), "bench"))


class Taken(NamedTuple):
    """Milliseconds of the wall and of the processor, which a busy machine does not lengthen; and
    the share of cards that a model's group explains."""

    wall: list[float]
    processor: list[float]
    explained: float


def measure(decisions: int, short: int) -> dict[str, Taken]:
    """By ranker, decision by decision in turns."""
    given = candidates()
    version = fitted(given[:short])
    rankers: dict[str, Ranker] = {
        "learned": ModelRanker(version, Explainer(version, approved())),
        "curated": RuleRanker(),
    }
    risks: dict[str, StallModel | RuleStalls] = {
        "learned": stalls(np.random.default_rng(7)),
        "curated": RuleStalls(),
    }
    policy = Policy(short=short, nothing=0.0)
    rng = np.random.default_rng(11)
    taken: dict[str, list[float]] = {name: [] for name in rankers}
    busy: dict[str, list[float]] = {name: [] for name in rankers}
    explained: dict[str, list[bool]] = {name: [] for name in rankers}
    for number in range(decisions):
        one = asked(number, rng, given)
        for name, ranker in rankers.items():
            began, worked = time.perf_counter(), time.thread_time()
            risks[name].stalled(one.snapshot.values)
            decision = decide(replace(one), ranker, policy)
            taken[name].append(1000 * (time.perf_counter() - began))
            busy[name].append(1000 * (time.thread_time() - worked))
            explained[name] += [card.why.contribution is not None for card in decision.cards]
    warm = decisions // 10
    return {
        name: Taken(taken[name][warm:], busy[name][warm:], float(np.mean(explained[name])))
        for name in rankers
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--decisions", type=int, default=2000)
    args = parser.parse_args()
    print(f"{ACTIONS} candidates, {NUMBERS + len(CATEGORIES)} features of the person and 5 of the")
    print(f"action; {args.decisions} decisions, the first tenth is warm-up")
    for short in (6, 12, 30):
        for name, taken in measure(args.decisions, short).items():
            wall, busy = (np.percentile(each, [50, 99]) for each in taken[:2])
            print(
                f"short list {short:>2}  {name:<8} wall p50 {wall[0]:.2f} p99 {wall[1]:.2f} ms"
                f"  processor p50 {busy[0]:.2f} p99 {busy[1]:.2f} ms"
                f"  cards explained by the model {taken.explained:.0%}"
            )


if __name__ == "__main__":
    main()
