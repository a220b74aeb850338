"""Pauses, and the circuit breaker of one target."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tools.breaker import Breaker, BreakerPolicy, Breakers
from tools.retrying import Backoff


@given(st.integers(1, 200), st.integers())
def test_pauses_stay_below_the_doubled_and_capped_base(number: int, seed: int) -> None:
    backoff, rng = Backoff(0.1, 2.0), Random(seed)
    ceiling = min(2.0, 0.1 * 2 ** min(number - 1, 60))
    assert 0 <= backoff.pause(number, rng) <= ceiling
    assert ceiling / 2 <= backoff.at_least_half(number, rng) <= ceiling


def test_jitter_spreads_over_the_whole_range() -> None:
    rng = Random(3)
    drawn = sorted(Backoff(1.0, 1.0).pause(1, rng) for _ in range(1000))
    assert drawn[100] < 0.15
    assert drawn[900] > 0.85


def opened(rng: Random | None = None) -> Breaker:
    breaker = Breaker(BreakerPolicy(failures=3, open_s=10), rng or Random(1))
    for _ in range(3):
        assert breaker.wait_s(0) == 0
        breaker.failed(0)
    return breaker


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(BreakerPolicy(failures=3), Random(1))
    for _ in range(10):
        breaker.failed(0)
        breaker.failed(0)
        breaker.answered()
    assert breaker.wait_s(0) == 0
    assert opened().wait_s(0) > 0


def test_half_open_lets_one_probe_through() -> None:
    breaker = opened()
    later = breaker.wait_s(0)
    assert breaker.rest_s(0) == later
    assert breaker.rest_s(later) == 0, "looking lets nobody through"
    assert breaker.wait_s(later) == 0
    assert breaker.wait_s(later) > 0
    breaker.answered()
    assert breaker.wait_s(later) == 0


def test_a_failed_probe_opens_it_again_and_a_silent_one_is_replaced() -> None:
    breaker = opened()
    at = breaker.wait_s(0)
    assert breaker.wait_s(at) == 0
    breaker.failed(at)
    assert breaker.wait_s(at) > 0
    again = at + breaker.wait_s(at)
    assert breaker.wait_s(again) == 0
    assert breaker.wait_s(again + 10) == 0


def test_breakers_do_not_open_in_step() -> None:
    waits = {opened(Random(seed)).wait_s(0) for seed in range(20)}
    assert len(waits) == 20
    assert all(5 <= wait <= 15 for wait in waits)


def test_each_target_has_its_own() -> None:
    breakers = Breakers(BreakerPolicy(failures=1), Random(1))
    breakers.of("a").failed(0)
    assert breakers.of("a").wait_s(0) > 0
    assert breakers.of("b").wait_s(0) == 0
    assert breakers.degraded() == ("a",)
