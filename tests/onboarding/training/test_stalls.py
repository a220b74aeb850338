"""The gate of a model of stalling: what it asks, and what does not pass."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import orjson
import pytest

from onboarding.training import Periods, Recipe, Refusal, StallRequest, learn_stalls, open_stalls
from onboarding.training.hazard import IDLE
from onboarding.training.stall_gate import Bounds

REQUEST = StallRequest("v1", "spec", "2026-03-02")
NAMES = ("days_idle", "days_since_first", "n_core_1d", IDLE, "steps_done", "constant")


@cache
def periods(people: int = 1200, seed: int = 5) -> Periods:
    """Busy people return, quiet ones do so only when they are new: a product of two columns."""
    rng = np.random.default_rng(seed)
    rows, labels, persons = [], [], []
    for person in range(people):
        busy = rng.random() < 0.5
        for day in np.sort(rng.uniform(0, 14, 4)):
            idle = day * rng.uniform(0.3, 1)
            odds = -2 + 0.1 * idle + (0 if busy else 0.5 * idle)
            rows.append([idle, day, float(rng.poisson(9 if busy else 1)), idle, busy * 1.0, 7.0])
            labels.append(float(rng.random() < 1 / (1 + np.exp(-odds))))
            persons.append(f"p{person}")
    return Periods(NAMES, np.array(rows), np.array(labels), tuple(persons))


def test_what_is_better_than_the_rule_passes() -> None:
    learned = learn_stalls(periods(), REQUEST)
    assert learned.verdict.refusal is None, learned.files["card.md"].decode()
    ours, rule = learned.figures["hazard model"], learned.figures["rule"]
    assert ours.auc > rule.auc + 0.05
    assert ours.loss < rule.loss
    assert ours.lift > 1.5
    model = open_stalls(learned.files)
    assert model.spec == "spec"
    assert "constant" not in model.names
    quiet = {"days_since_first": 9.0, "n_core_1d": 1.0, "steps_done": 0.0}
    risks = [model.stalled({**quiet, "days_idle": d, IDLE: d}) for d in (0.1, 3.0, 8.0)]
    assert risks == sorted(risks)
    assert risks[2] > 2 * risks[0]


def test_nobody_stands_in_two_parts() -> None:
    """Trees that learn names by heart know nothing of people whom they have not seen."""
    whole = periods()
    names = np.array([float(person[1:]) for person in whole.persons])
    own = np.random.default_rng(2).integers(0, 2, 1200)[names.astype(int)].astype(float)
    by_heart = Recipe(leaves=2000, depth=40, trees=5, rate=0.5, rows_a_leaf=1, l2=0.0, bins=5000)
    known = replace(whole, names=("name",), table=names[:, None], labels=own)
    learned = learn_stalls(known, replace(REQUEST, recipe=by_heart))
    assert learned.figures["hazard model"].auc == pytest.approx(0.5, abs=0.08)


def test_too_few_people_are_refused_and_still_told() -> None:
    learned = learn_stalls(periods(120), REQUEST)
    assert learned.verdict.refusal is Refusal.DATA
    assert orjson.loads(learned.files["gate.json"])["refusal"] == "too_little_data"
    assert "| too_little_data | no |" in learned.files["card.md"].decode()


def test_chances_that_do_not_hold_are_refused() -> None:
    learned = learn_stalls(periods(), REQUEST, Bounds(ece=0.001))
    assert learned.verdict.refusal is Refusal.CALIBRATION


def test_where_all_came_back_there_is_nothing_to_learn() -> None:
    with pytest.raises(ValueError, match="too few people"):
        learn_stalls(replace(periods(), labels=np.zeros(len(periods().labels))), REQUEST)


def test_the_same_rows_give_the_same_version() -> None:
    first, second = (learn_stalls(periods(120), REQUEST).files for _ in range(2))
    for name in ("champion.txt", "calibration.json", "columns.json", "metrics.json"):
        assert first[name] == second[name]
