"""Estimators, gate, calibration, uplift, drift: figures that are known beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from onboarding.ranking import Beta, Rung
from onboarding.training import (
    Drift,
    Evidence,
    Logged,
    Refusal,
    clusters_of,
    doubly_robust,
    drift,
    ess,
    fit_uplift,
    ips,
    judged,
    measured,
    psi,
    qini,
    snips,
    uplift_at,
)
from onboarding.training.calibrating import chosen, fit_beta, wilson
from onboarding.training.folds import folds_by_group

Numbers = NDArray[np.float64]
EXPLORED = 0.3
ARMS = 5


def logged(rng: np.random.Generator, n: int, worth: Numbers) -> tuple[Logged, NDArray[np.intp]]:
    """A log of the first arm with uniform exploration, one row an account."""
    chances = np.full(ARMS, EXPLORED / ARMS)
    chances[0] += 1 - EXPLORED
    shown = rng.choice(ARMS, n, p=chances)
    rewards = (rng.random(n) < worth[shown]).astype(float)
    return Logged(rewards, chances[shown], np.arange(n)), shown


WORTH = np.array([0.30, 0.36, 0.28, 0.25, 0.40])


def test_every_estimator_finds_the_value_of_another_policy() -> None:
    """Over 200 logs: no bias beyond its error, and the 95 % bound holds as often as it says."""
    found: dict[str, list[float]] = {"ips": [], "snips": [], "dr": []}
    held = 0
    for seed in range(200):
        log, shown = logged(np.random.default_rng(seed), 3000, WORTH)
        policy = (shown == 4).astype(float)
        q = np.full(len(shown), 0.33)  # a poor model: the correction has to do the work
        estimates = {
            "ips": ips(log, policy),
            "snips": snips(log, policy),
            "dr": doubly_robust(log, policy, q, q),
        }
        for name, each in estimates.items():
            found[name].append(each.value)
        held += estimates["dr"].low <= WORTH[4]
    for name, values in found.items():
        error = np.std(values) / np.sqrt(len(values))
        assert abs(np.mean(values) - WORTH[4]) < 4 * error, name
    assert 0.90 <= held / 200 <= 0.99


def test_a_better_model_makes_the_doubly_robust_error_smaller() -> None:
    rng = np.random.default_rng(5)
    kind = rng.random(4000) < 0.5
    log, shown = logged(rng, 4000, WORTH)
    rewards = np.where(kind, log.rewards, 1.0)  # half of all reach it whatever they see
    log = Logged(rewards, log.propensities, log.clusters)
    policy = (shown == 4).astype(float)
    knows = np.where(kind, WORTH[4], 1.0)
    plain = ips(log, policy)
    robust = doubly_robust(log, policy, np.where(kind, WORTH[shown], 1.0), knows)
    assert robust.error < 0.6 * plain.error


def test_rows_of_one_account_are_not_independent() -> None:
    rng = np.random.default_rng(2)
    own = rng.normal(size=200)
    rewards = np.repeat(own, 10)
    alone = ips(Logged(rewards, np.ones(2000), np.arange(2000)), np.ones(2000))
    together = ips(
        Logged(rewards, np.ones(2000), clusters_of([f"a{n // 10}" for n in range(2000)])),
        np.ones(2000),
    )
    assert together.error == pytest.approx(alone.error * np.sqrt(10), rel=0.01)


def test_the_effective_size_counts_what_weighs() -> None:
    assert ess(np.ones(50)) == 50
    assert ess(np.array([1.0, 0.0, 0.0])) == 1
    assert ess(np.array([1e6, 1e6, *([1e-3] * 9998)])) == pytest.approx(2, abs=1e-3)


GOOD = Evidence(
    rung=Rung.ACTIVATE,
    users=2000,
    labels=200,
    unsupported=0.01,
    ess=500.0,
    max_weight=50.0,
    gain=0.02,
    low=0.001,
    ece=0.03,
    brier=0.2,
    champion_brier=0.2,
    segments={"admin": -0.009},
    parity=0.8,
    latency_ms=5.0,
)


def test_what_meets_every_bound_passes() -> None:
    assert judged(GOOD).refusal is None
    assert [check.code for check in judged(GOOD).checks] == list(Refusal)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"users": 1999}, Refusal.DATA),
        ({"labels": 199}, Refusal.DATA),
        ({"unsupported": 0.011}, Refusal.SUPPORT),
        ({"ess": 499.0}, Refusal.OVERLAP),
        ({"max_weight": 51.0}, Refusal.OVERLAP),
        ({"low": 0.0}, Refusal.VALUE),
        ({"ece": 0.031}, Refusal.CALIBRATION),
        ({"brier": 0.2011}, Refusal.CALIBRATION),
        ({"segments": {"admin": 0.1, "developer": -0.01}}, Refusal.SEGMENTS),
        ({"parity": 0.79}, Refusal.SEGMENTS),
        ({"latency_ms": 5.1}, Refusal.LATENCY),
        ({"latency_ms": None}, Refusal.LATENCY),
    ],
)
def test_each_bound_refuses_with_its_code(change: dict[str, object], refusal: Refusal) -> None:
    assert judged(replace(GOOD, **change)).refusal is refusal  # type: ignore[arg-type]


def test_the_first_check_that_fails_names_the_reason() -> None:
    worse = replace(GOOD, unsupported=0.5, ess=2.0, low=-1.0)
    assert judged(worse).refusal is Refusal.SUPPORT
    assert judged(replace(GOOD, rung=Rung.COMPLETE, users=600)).refusal is None


def test_calibration_of_chances_that_are_true() -> None:
    rng = np.random.default_rng(1)
    chances = rng.uniform(0.05, 0.95, 20_000)
    labels = (rng.random(20_000) < chances).astype(float)
    quality = measured(chances, labels)
    assert quality.ece < 0.015
    assert quality.brier == pytest.approx((chances * (1 - chances)).mean(), abs=0.005)
    assert sum(bar.count for bar in quality.bins) == 20_000
    held = sum(bar.low <= bar.chance <= bar.high for bar in quality.bins)
    assert held >= 13


def _bent(chances: Numbers) -> Numbers:
    odds = (chances / (1 - chances)) ** 2.5
    return np.asarray(odds / (1 + odds))


@pytest.mark.parametrize(("spoil", "mended"), [(_bent, True), (lambda chances: chances, False)])
def test_beta_is_taken_where_it_helps_and_left_where_not(
    spoil: Callable[[Numbers], Numbers], mended: bool
) -> None:
    rng = np.random.default_rng(4)
    true = rng.uniform(0.1, 0.9, 6000)
    labels = (rng.random(6000) < true).astype(float)
    told = spoil(true)
    calibration = chosen(told, labels, rng.integers(0, 5, 6000))
    assert measured(calibration(told), labels).ece < 0.03
    if mended:
        assert measured(told, labels).ece > 0.08
        assert calibration.a == pytest.approx(0.4, abs=0.1)
    assert np.all(np.diff(calibration(np.linspace(0.01, 0.99, 99))) >= 0)


def test_beta_never_turns_the_order_round() -> None:
    rng = np.random.default_rng(6)
    chances = rng.uniform(0.1, 0.9, 500)
    against = fit_beta(chances, (rng.random(500) > chances).astype(float))
    assert against.a >= 0
    assert against.b >= 0
    assert Beta()(chances) is chances


def test_wilson_as_published() -> None:
    low, high = wilson(81, 263)  # Newcombe, Statistics in Medicine 1998, table I
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


def test_uplift_finds_whom_it_helps() -> None:
    rng = np.random.default_rng(8)
    table = rng.normal(size=(20_000, 4))
    treated = rng.random(20_000) < 0.5
    helped = table[:, 0] > 0
    odds = -1.5 + 1.2 * table[:, 1] + 1.0 * (treated & helped)
    visits = (rng.random(20_000) < 1 / (1 + np.exp(-odds))).astype(float)
    fit, out = slice(0, 12_000), slice(12_000, None)
    model = fit_uplift(table[fit], treated[fit], visits[fit])
    scores = {
        "uplift": model.uplift(table[out]),
        "response": model.chances(table[out], 1.0),
        "random": rng.random(8000),
    }
    areas = {name: qini(each, treated[out], visits[out]) for name, each in scores.items()}
    assert areas["uplift"] > areas["response"] > areas["random"]
    assert abs(areas["random"]) < 0.01
    assert uplift_at(scores["uplift"], treated[out], visits[out]) > 0.13


def test_the_area_of_a_perfect_order_by_hand() -> None:
    """Two treated who came and two controls, all helped ones first: curve 0, 1/2, 1, 1, 1."""
    treated = np.array([True, True, False, False])
    visits = np.array([1.0, 1.0, 0.0, 0.0])
    assert qini(np.array([4.0, 3.0, 2.0, 1.0]), treated, visits) == pytest.approx(0.25)


def test_drift_is_seen_in_numbers_and_in_words() -> None:
    rng = np.random.default_rng(9)
    before = rng.normal(size=5000).tolist()
    assert drift(psi(before, rng.normal(size=5000).tolist())) is Drift.NONE
    assert drift(psi(before, rng.normal(0.38, 1, 5000).tolist())) is Drift.WARN
    assert drift(psi(before, rng.normal(1.0, 1, 5000).tolist())) is Drift.STOP
    assert drift(psi(["a", "b"] * 50, ["a", "b"] * 50)) is Drift.NONE
    assert drift(psi(["a", "b"] * 50, ["c"] * 100)) is Drift.STOP
    assert drift(psi([], [1.0])) is Drift.WARN


def test_a_group_stands_in_one_fold_whatever_is_added() -> None:
    names = [f"a{n % 40}" for n in range(400)]
    folds = folds_by_group(names, 5, 1)
    more = folds_by_group([*names, "new"], 5, 1)
    assert (more[:-1] == folds).all()
    by_name = {
        name: {int(f) for n, f in zip(names, folds, strict=True) if n == name} for name in names
    }
    assert all(len(each) == 1 for each in by_name.values())
    assert set(folds.tolist()) == {0, 1, 2, 3, 4}
