"""Five signals, the stage that they allow, the rung that is served, what people may override."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.consent import Purpose, Tagged
from onboarding.profile.readiness import (
    Cohort,
    Observed,
    Past,
    Rate,
    ReadinessFile,
    Rung,
    SignalName,
    Stage,
    Standing,
    Watching,
    document,
    load_readiness,
    settle,
    signals_of,
    stand,
    text_of,
)
from onboarding.profile.readiness.clusters import clusters_of, js_distance
from onboarding.profile.readiness.signals import holm, wilson_low
from onboarding.rules import DataFileError
from onboarding.store.profile.readiness import MemoryReadiness, ReadinessStore, SqlReadiness
from onboarding.store.profile.sql import upgrade
from onboarding.types import UNKNOWN, Event, EventKind
from tests.guardrails.databases import postgres, sqlite

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
FILE = load_readiness()


def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def needs(k: int, users: int, names: int = 8, seed: int = 1) -> np.ndarray:
    """Shares of users of k kinds, each of which does mostly two things of its own."""
    draw = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        mean = np.full(names, 0.4)
        kind = user % k
        mean[[2 * kind % names, (2 * kind + 1) % names]] = 8.0
        rows.append(draw.dirichlet(mean))
    return np.array(rows)


COHORTS = tuple(
    Cohort(NOW - week * 7 * DAY, 200, 60, (200, 120, 100, 90, 80, 75, 73, 72, 71))
    for week in (12, 11, 10)
)
GOOD = Observed(
    at=NOW,
    cohorts=COHORTS,
    shares=needs(4, 120),
    activation={"admin": Rate(300, 500), "executive": Rate(200, 500)},
    active=400,
    mature=2500,
    gain=0.2,
    levelled_off=True,
    passed=frozenset({"complete", "activate"}),
)
NOTHING = Observed(at=NOW)


def file_with(**changes: Any) -> ReadinessFile:
    return ReadinessFile.model_validate({**FILE.model_dump(mode="json"), **changes})


def said(signal: str, on: str = "2026-05-01", **more: Any) -> dict[str, Any]:
    return {"signal": signal, "owner": "growth@acme", "on": on, **more}


def standing(seen: Observed, file: ReadinessFile = FILE, before: tuple[Past, ...] = ()) -> Standing:
    return stand(seen, file, before, rng())


def holding(seen: Observed, file: ReadinessFile = FILE) -> set[str]:
    return {signal.name.value for signal in signals_of(seen, file, rng()) if signal.holds}


def test_four_signals_come_from_data_and_one_is_declared() -> None:
    assert holding(GOOD) == {"product_market_fit", "diversity", "generic_fails", "active_users"}
    assert holding(NOTHING) == set()
    declared = file_with(declared=[said("retention_first")])
    assert holding(NOTHING, declared) == {"retention_first"}


@pytest.mark.parametrize(
    ("cohorts", "why"),
    [
        (COHORTS[:2], "two cohorts"),
        (tuple(replace(each, back=44) for each in COHORTS), "the lower bound is below 20 %"),
        (tuple(replace(e, by_week=(*e.by_week[:8], 60)) for e in COHORTS), "week 8 lost a fifth"),
        (tuple(replace(e, users=10, back=3) for e in COHORTS), "too few to be sure"),
    ],
)
def test_no_product_market_fit(cohorts: tuple[Cohort, ...], why: str) -> None:
    assert "product_market_fit" not in holding(replace(GOOD, cohorts=cohorts)), why


def test_older_cohorts_do_not_count() -> None:
    bad = Cohort(NOW - 100 * DAY, 9000, 0, (9000,) + (0,) * 8)
    assert "product_market_fit" in holding(replace(GOOD, cohorts=(bad, *COHORTS)))


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 6])
def test_as_many_needs_as_there_are(k: int) -> None:
    found = clusters_of(needs(k, 60 * k, names=14), rng())
    assert found.k == k
    assert found.strength >= 0.8
    assert (found.distance >= 0.2) == (k > 1)


def test_one_diffuse_need_is_no_diversity() -> None:
    draw = np.random.default_rng(4)
    for seed in range(4):
        shares = draw.dirichlet(np.full(8, 2.0), size=150)
        found = clusters_of(shares, np.random.default_rng(seed))
        assert found.k < 4 or found.strength < 0.8
        assert "diversity" not in holding(replace(GOOD, shares=shares))


def test_a_handful_of_users_is_no_diversity() -> None:
    assert "diversity" not in holding(replace(GOOD, shares=needs(4, 16)))
    assert clusters_of(np.zeros((0, 3)), rng()).k == 0
    assert clusters_of(needs(1, 1), rng()).k == 1


def test_distance_of_shares() -> None:
    one, other = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert js_distance(one, other) == pytest.approx(1)
    assert js_distance(one, one) == 0
    # by hand: M = (.75, .25): ((1 log2 4/3) + (.5 log2 2/3 + .5 log2 2)) / 2 = .3113
    assert js_distance(one, np.array([0.5, 0.5])) ** 2 == pytest.approx(0.311278, abs=1e-6)


def test_segments_that_complain_the_other_way() -> None:
    opposite = {"admin": {"too_simple": 30, "too_complex": 4}, "end_user": {"too_complex": 25}}
    alone = replace(GOOD, activation={}, complaints=opposite)
    assert "generic_fails" in holding(alone)
    for complaints, why in (
        ({"admin": {"too_simple": 30}, "end_user": {"too_simple": 25}}, "the same way"),
        ({"admin": {"too_simple": 9}, "end_user": {"too_complex": 9}}, "fewer than ten"),
        (EVEN, "chance"),
        ({"admin": {"too_simple": 30}, "end_user": {"too_detailed": 25}}, "another thing"),
    ):  # fmt: skip
        assert "generic_fails" not in holding(replace(alone, complaints=complaints)), why


EVEN = {
    "admin": {"too_simple": 14, "too_complex": 11},
    "end_user": {"too_simple": 10, "too_complex": 12},
}


@pytest.mark.parametrize(
    ("rates", "holds"),
    [
        ({"a": Rate(300, 500), "b": Rate(200, 500)}, True),
        ({"a": Rate(520, 1000), "b": Rate(480, 1000)}, False),
        ({"a": Rate(30000, 60000), "b": Rate(28800, 60000)}, False),
        ({"a": Rate(6, 10), "b": Rate(4, 10)}, False),
        ({"a": Rate(300, 500)}, False),
    ],
)
def test_activation_that_differs_by_five_points_for_sure(
    rates: Mapping[str, Rate], holds: bool
) -> None:
    assert ("generic_fails" in holding(replace(GOOD, activation=rates))) == holds


def test_many_comparisons_are_corrected_for() -> None:
    """Of 12 equal segments one pair differs by chance now and then: Holm keeps that at 5 %."""
    draw = np.random.default_rng(8)
    alarms = 0
    for _ in range(200):
        rates = {f"s{n}": Rate(int(draw.binomial(150, 0.4)), 150) for n in range(12)}
        alarms += "generic_fails" in holding(replace(NOTHING, activation=rates))
    assert alarms <= 20  # 10 expected at most; more than 20 has p < .002
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_the_interval_of_a_share() -> None:
    assert wilson_low(Rate(60, 200)) == pytest.approx(0.2408, abs=1e-4)
    assert wilson_low(Rate(0, 0)) == 0


@pytest.mark.parametrize(
    ("declared", "holds"),
    [
        (said("retention_first", "2026-03-04"), True),
        (said("retention_first", "2026-03-03"), False),  # 90 days
        (said("retention_first", "2026-06-02"), False),  # not yet
        (said("retention_first", "2026-05-01", until="2026-05-31"), False),
        (said("retention_first", "2026-05-01", until="2026-06-01"), True),
        (said("retention_first", "2026-01-01", until="2027-01-01"), False),
    ],
)
def test_a_declaration_ends(declared: dict[str, Any], holds: bool) -> None:
    assert (holding(NOTHING, file_with(declared=[declared])) == {"retention_first"}) == holds


def test_profiles_of_twenty_people_declare_diversity() -> None:
    assert holding(NOTHING, file_with(declared=[said("diversity", notes=20)])) == {"diversity"}
    assert holding(NOTHING, file_with(declared=[said("diversity", notes=19)])) == set()


FIVE = [said("retention_first")]


@pytest.mark.parametrize(
    ("changes", "stage"),
    [
        ({}, Stage.INDIVIDUAL),
        ({"gain": None}, Stage.SEGMENT),
        ({"gain": 0.14}, Stage.SEGMENT),
        ({"levelled_off": False}, Stage.SEGMENT),
        ({"active": 199}, Stage.SEGMENT),
        ({"active": 199, "activation": {}}, Stage.SEGMENT),
        ({"active": 199, "activation": {}, "cohorts": ()}, Stage.GENERIC),
    ],
)
def test_the_stage_that_signals_allow(changes: dict[str, Any], stage: Stage) -> None:
    assert standing(replace(GOOD, **changes)).allowed is stage


def test_segments_may_be_enough() -> None:
    assert (
        "segments gain 10% retention: segments are enough"
        in standing(replace(GOOD, gain=0.10)).notes
    )


@pytest.mark.parametrize(
    ("mature", "passed", "rung"),
    [
        (499, {"complete", "activate"}, Rung.CURATED),
        (500, {"complete"}, Rung.COMPLETE),
        (500, set(), Rung.CURATED),
        (1999, {"complete", "activate"}, Rung.COMPLETE),
        (2000, {"complete", "activate"}, Rung.ACTIVATE),
        (2000, {"complete"}, Rung.COMPLETE),
        (9000, {"activate"}, Rung.CURATED),
    ],
)
def test_the_rung_that_is_earned(mature: int, passed: set[str], rung: Rung) -> None:
    found = standing(replace(GOOD, mature=mature, passed=frozenset(passed)))
    assert found.earned is rung


def test_the_lower_of_allowed_and_earned_is_served() -> None:
    assert standing(GOOD).rung is Rung.ACTIVATE
    assert standing(replace(GOOD, gain=None)).rung is Rung.COMPLETE  # stage segment
    assert standing(replace(GOOD, mature=600)).rung is Rung.COMPLETE


@pytest.mark.parametrize("changes", [{"active": 10}, {"cohorts": ()}])
def test_without_fit_and_users_nothing_learned_ranks(changes: dict[str, Any]) -> None:
    found = standing(replace(GOOD, **changes), file_with(declared=FIVE))
    assert found.count == 4
    assert found.rung is Rung.CURATED


def past(*stages: int, start: int = 70, every: int = 7) -> tuple[Past, ...]:
    return tuple(Past(NOW - (start - every * n) * DAY, Stage(s)) for n, s in enumerate(stages))


@pytest.mark.parametrize(
    ("evaluations", "stage"),
    [
        (past(), 0),
        (past(0, 2), 2),
        (past(2, 0), 2),
        (past(2, 0, 0), 0),
        (past(2, 0, 1), 1),
        (past(2, 0, 2, 0), 2),
        (past(2, 1, 1), 1),
        (past(2, 0, 0, every=3), 2),  # twice within a week
        (past(2, 0, 0, 0, every=4), 0),
        (past(2, 0, 0, 1, 1), 1),
    ],
)
def test_a_stage_falls_after_two_weekly_evaluations(
    evaluations: tuple[Past, ...], stage: int
) -> None:
    assert settle(evaluations) is Stage(stage)
    assert settle(evaluations[::-1]) is Stage(stage)


@given(st.lists(st.integers(0, 2), max_size=12))
def test_a_stage_never_stands_above_what_two_weeks_allowed(stages: list[int]) -> None:
    settled = settle(past(*stages, start=90))
    if stages:
        assert stages[-1] <= settled <= max(stages[-2:])


def test_it_stays_for_a_week_and_says_so() -> None:
    low = replace(GOOD, cohorts=(), active=10, activation={})
    before = (Past(NOW - 7 * DAY, Stage.INDIVIDUAL),)
    held = standing(low, before=before)
    assert (held.allowed, held.stage) == (Stage.GENERIC, Stage.INDIVIDUAL)
    assert any("second weekly evaluation" in note for note in held.notes)
    fallen = standing(low, before=(*past(2, start=14), Past(NOW - 7 * DAY, Stage.GENERIC)))
    assert fallen.stage is Stage.GENERIC


UP = {"stage": "individual", "reason": "a pilot", "owner": "cto@acme", "until": "2026-07-01"}


@pytest.mark.parametrize(
    ("override", "stage"),
    [
        ({"stage": "generic"}, Stage.GENERIC),
        ({"stage": "generic", "until": "2026-05-30"}, Stage.SEGMENT),
        (UP, Stage.INDIVIDUAL),
        ({**UP, "reason": None}, Stage.SEGMENT),
        ({**UP, "owner": None}, Stage.SEGMENT),
        ({**UP, "until": None}, Stage.SEGMENT),
        ({**UP, "until": "2026-05-31"}, Stage.SEGMENT),
        (None, Stage.SEGMENT),
    ],
)
def test_an_override(override: dict[str, Any] | None, stage: Stage) -> None:
    found = standing(replace(GOOD, gain=None), file_with(override=override))
    assert (found.stage, found.allowed) == (stage, Stage.SEGMENT)
    assert (found.override is None) == (stage is Stage.SEGMENT)


def test_an_override_does_not_make_a_ranker() -> None:
    found = standing(replace(GOOD, active=10, gain=None), file_with(override=UP))
    assert (found.stage, found.rung) == (Stage.INDIVIDUAL, Rung.CURATED)


def test_the_report_says_what_is_missing_and_who_overrode() -> None:
    found = standing(NOTHING, file_with(override=UP))
    text = text_of(found)
    assert "0 of 5 signals, too early to pay off" in text
    assert "needs 200 users with a core event in 28 days; there are 0" in text
    assert "overridden by cto@acme until 2026-07-01: a pilot" in text
    told = document(found)
    assert (told["stage"], told["allowed"], told["rung"]) == ("individual", "generic", "curated")
    assert told["override"] == UP
    good = text_of(standing(GOOD, file_with(declared=FIVE)))
    assert "5 of 5 signals, personalisation pays off" in good
    assert "declared by growth@acme" in good


def event(user: str, name: str, day: float, **fields: str) -> Event:
    at = NOW - 200 * DAY + day * DAY
    tagged = {k: Tagged(v, frozenset({Purpose.PRODUCT_ANALYTICS})) for k, v in fields.items()}
    ids = f"{user}-{name}-{day}"
    return Event("t", ids, EventKind.TRACK, name, "1-0-0", user, None, None, at, at, tagged)


def test_events_become_cohorts_shares_and_rates() -> None:
    core = frozenset({"viewed", "edited"})
    roles = {"ana": "admin", "bo": "end_user", "cy": "admin"}
    watching = Watching(FILE.reads, core, lambda u: roles.get(u, UNKNOWN), lambda u: u == "bot")
    seen = watching.see_all(
        [
            *(event(user, "signup_completed", 0) for user in (*roles, "bot")),
            event("ana", "viewed", 1),
            event("ana", "viewed", 3),
            event("ana", "edited", 3),
            event("ana", "goal_reached", 4),
            event("ana", "viewed", 30),
            event("bo", "edited", 13.9),
            event("bo", "edited", 29.9),
            event("bo", "goal_reached", 15),
            event("cy", "viewed", 36.9),
            event("cy", "viewed", 190),
            event("bot", "viewed", 195),
            event("ana", "feedback_given", 5, about="too_simple"),
            event("bo", "feedback_given", 5, about="too_complex"),
            event("bo", "feedback_given", 5, about="lovely"),
        ]
    ).observed(NOW)
    (cohort,) = seen.cohorts
    assert (cohort.users, cohort.back) == (3, 2)  # day 30 and 36, not 29
    assert cohort.by_week == (1, 1, 0, 0, 2, 1, 0, 0, 0)
    assert seen.used == ("edited", "viewed")
    assert seen.shares.tolist() == [[pytest.approx(1 / 3), pytest.approx(2 / 3)], [1, 0]]
    assert seen.activation == {"admin": Rate(1, 2), "end_user": Rate(0, 1)}
    assert {s: dict(c) for s, c in seen.complaints.items()} == {
        "admin": {"too_simple": 1},
        "end_user": {"too_complex": 1},
    }
    assert (seen.active, seen.mature) == (1, 3)


def test_who_signed_up_lately_is_in_no_cohort() -> None:
    core = frozenset({"viewed"})
    recent = [event("dan", "signup_completed", 140), event("dan", "viewed", 199)]
    seen = Watching(FILE.reads, core, lambda _: UNKNOWN).see_all(recent).observed(NOW)
    assert (seen.cohorts, seen.mature, seen.active, seen.activation) == ((), 1, 1, {})


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("declared: []", "declared: [{signal: active_users, owner: a, on: 2026-01-01}]", "counted"),
        (
            "declared: []",
            "declared: [{signal: moon, owner: a, on: 2026-01-01}]",
            "declared.0.signal",
        ),
        ("declared: []", "declared: [{signal: diversity, on: 2026-01-01}]", "owner is missing"),
        ("retention: 0.20", "retention: 20", "thresholds.retention"),
        ("  active: 200", "  activ: 200", "there is no such key here"),
    ],
)
def test_a_bad_file_is_named_with_its_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    text = (files("onboarding.profile.readiness") / "readiness.yaml").read_text("utf-8")
    assert old in text
    path = tmp_path / "readiness.yaml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(DataFileError, match=says) as failure:
        load_readiness(path)
    assert f"{path}:" in str(failure.value)


def test_every_signal_has_its_place() -> None:
    assert [each.name for each in signals_of(NOTHING, FILE, rng())] == list(SignalName)
    assert FILE.thresholds.retention == 0.20
    assert date(2026, 5, 1) == file_with(declared=FIVE).declared[0].on


@contextmanager
def opened(where: str, folder: Path) -> Iterator[ReadinessStore]:
    if where == "memory":
        yield MemoryReadiness()
        return
    with sqlite(folder, upgrade) if where == "sqlite" else postgres(upgrade) as engine:
        yield SqlReadiness(engine)


@pytest.mark.parametrize("where", ["memory", "sqlite", "postgres"])
async def test_evaluations_are_remembered(where: str, tmp_path: Path) -> None:
    with opened(where, tmp_path) as store:
        assert (await store.past("t"), await store.newest("t")) == ((), None)
        for at, allowed in ((NOW, "individual"), (NOW - 7 * DAY, "generic")):
            await store.add("t", at, {"at": at.isoformat(), "allowed": allowed})
        await store.add("t", NOW, {"at": NOW.isoformat(), "allowed": "segment"})
        await store.add("t2", NOW, {"at": NOW.isoformat(), "allowed": "individual"})
        assert await store.past("t") == (
            Past(NOW - 7 * DAY, Stage.GENERIC),
            Past(NOW, Stage.SEGMENT),
        )
        newest = await store.newest("t")
        assert newest is not None
        assert newest["allowed"] == "segment"
