"""Rows from decisions, models from rows: what may be learned from, and what is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import orjson
import pytest

from evals.onboarding.simulated import SPEC, logged
from evals.simulator import WORLDS, People
from onboarding.profile.text import TextClassifier, TextModelError
from onboarding.ranking import (
    NOTHING,
    ModelFileError,
    Policy,
    RuleRanker,
    Rung,
    approved,
    decide,
    opened,
)
from onboarding.training import (
    Asking,
    Periods,
    Recipe,
    Refusal,
    Request,
    TextRecipe,
    fit_stalls,
    fit_text,
    learn,
    open_stalls,
    period_of,
    rows_of,
)
from onboarding.training.affinities import best_shrinkage, fitted, terms_of
from onboarding.training.frame import columns_of, framed
from onboarding.types import Decision, Outcome, OutcomeKind, Person
from tests.onboarding.ranking.making import ASKED, NOON, log

DAY = timedelta(days=1)
NOW = NOON + 30 * DAY


def decision(user: str = "ana", days: float = 0, seed: int = 7) -> Decision:
    asked = replace(ASKED, person=Person("t", user, "acme"), at=NOON + days * DAY, seed=seed)
    return decide(asked, RuleRanker(), Policy(nothing=0.0))


def outcome(kind: OutcomeKind, days: float, action: str = "", user: str = "ana") -> Outcome:
    return Outcome("d", Person("t", user, "acme"), action, kind, NOON + days * DAY)


def test_only_what_was_followed_long_enough_is_a_row() -> None:
    young = decision(days=17)
    assert rows_of([young], [], Asking(NOW)) == ()
    assert len(rows_of([decision(days=16)], [], Asking(NOW))) == 1


@pytest.mark.parametrize(("days", "reached"), [(0.5, True), (13.9, True), (14.1, False)])
def test_the_goal_counts_within_fourteen_days(days: float, reached: bool) -> None:
    (row,) = rows_of([decision()], [outcome(OutcomeKind.ACTIVATED, days)], Asking(NOW))
    assert row.activated == reached


def test_who_had_reached_it_before_teaches_nothing() -> None:
    assert rows_of([decision(days=1)], [outcome(OutcomeKind.ACTIVATED, 0.5)], Asking(NOW)) == ()


def test_completion_is_that_of_the_card_in_slot_one() -> None:
    made = decision()
    first, second = made.cards[0].action, made.cards[1].action
    for action, completed in ((first, True), (second, False)):
        done = [outcome(OutcomeKind.COMPLETED, 1, action)]
        (row,) = rows_of([made], done, Asking(NOW))
        assert row.completed == completed


def test_who_withdrew_consent_is_in_no_row_and_names_are_pseudonyms() -> None:
    both = [decision("ana"), decision("eve")]
    asking = Asking(NOW, allowed=lambda user: user != "eve", pseudonym=lambda name: f"p-{name}")
    rows = rows_of(both, [], asking)
    assert [(row.user, row.account) for row in rows] == [("p-ana", "p-acme")]


def test_features_are_those_of_the_decision_whatever_comes_later() -> None:
    made = decision()
    (before,) = rows_of([made], [], Asking(NOW))
    late = [outcome(OutcomeKind.COMPLETED, 1e-5, made.cards[0].action)]
    (after,) = rows_of([made], late, Asking(NOW))
    assert (before.values, before.short, before.chances) == (
        after.values,
        after.short,
        after.chances,
    )
    assert after.completed
    assert not before.completed


def test_rates_and_affinities_do_not_know_a_rows_own_account() -> None:
    rows = log()[:400]
    frame = framed(rows, Rung.ACTIVATE, 5, 1)
    at = 17
    own = rows[at].account
    turned = [
        replace(r, completed=not r.completed, activated=not r.activated) if r.account == own else r
        for r in rows
    ]
    again = framed(turned, Rung.ACTIVATE, 5, 1)
    found = terms_of(rows, columns_of(rows), Rung.ACTIVATE, approved())
    other = terms_of(turned, columns_of(turned), Rung.ACTIVATE, approved())
    assert best_shrinkage(found, frame.folds) == best_shrinkage(other, again.folds)
    lines = frame.lines(np.array([at]))
    assert np.array_equal(frame.table[lines], again.table[lines], equal_nan=True)


def test_affinities_shrink_to_nothing_where_nothing_helps() -> None:
    rows = logged(People.drawn(WORLDS["null"], 900, 3))
    frame = framed(rows, Rung.ACTIVATE, 5, 1)
    found = terms_of(rows, columns_of(rows), Rung.ACTIVATE, approved())
    slopes = fitted(found, np.arange(len(rows)), best_shrinkage(found, frame.folds)).slopes
    assert max(abs(each) for action in slopes.values() for each in action[1:]) < 0.02


def test_too_little_data_is_refused_and_still_told() -> None:
    learned = learn(log(), Request("v1", Rung.ACTIVATE, recipe=Recipe(trees=30), bootstraps=1))
    assert learned.verdict.refusal is Refusal.DATA
    assert learned.compared.unsupported == 0.0
    assert learned.compared.candidate.max_weight < 50
    assert orjson.loads(learned.files["gate.json"])["refusal"] == "too_little_data"
    assert "| too_little_data | no |" in learned.files["card.md"].decode()


def test_the_same_rows_give_the_same_files() -> None:
    request = Request("v1", Rung.ACTIVATE, recipe=Recipe(trees=20), bootstraps=1)
    assert learn(log(), request).files == learn(log(), request).files


def test_a_version_opens_as_it_was_sealed_and_not_otherwise() -> None:
    files = learn(log(), Request("v1", Rung.ACTIVATE, recipe=Recipe(trees=20), bootstraps=2)).files
    version = opened(files)
    assert (version.name, version.spec, len(version.bootstraps)) == ("v1", SPEC, 2)
    for name in files:
        with pytest.raises(ModelFileError):
            opened({**files, name: files[name] + b" " if name != "manifest.json" else b"{}"})


def test_nothing_can_be_learned_from_nothing() -> None:
    with pytest.raises(ValueError, match="nothing to learn"):
        learn([], Request("v1", Rung.ACTIVATE))
    alike = [replace(row, activated=False) for row in log()[:50]]
    with pytest.raises(ValueError, match="all labels are alike"):
        learn(alike, Request("v1", Rung.ACTIVATE))


def test_no_row_was_logged_outside_its_short_list() -> None:
    assert all(
        row.action == NOTHING or row.action in [each.action for each in row.short] for row in log()
    )


def _periods(people: int) -> Periods:
    """Who has not moved for long leaves; every person has a few days."""
    rng = np.random.default_rng(3)
    idle = rng.exponential(3, (people, 6))
    gone = rng.random((people, 6)) < 1 / (1 + np.exp(3 - 0.5 * idle))
    table = np.column_stack([idle.ravel(), rng.normal(size=people * 6)])
    persons = tuple(f"u{n // 6}" for n in range(people * 6))
    return Periods(("days_since_progress", "noise"), table, gone.ravel().astype(float), persons)


def test_the_longer_nothing_moved_the_likelier_nothing_will() -> None:
    model = open_stalls(fit_stalls(_periods(800), "s1", Recipe(leaves=15, depth=5, trees=60)))
    risks = [model.stalled({"days_since_progress": d, "noise": 0.0}) for d in np.arange(0, 15, 0.5)]
    assert all(a <= b + 1e-12 for a, b in pairwise(risks))
    assert risks[0] < 0.15
    assert risks[-1] > 0.4
    assert 0 < model.stalled({}) < 1


def test_a_period_is_an_hour_then_a_day() -> None:
    assert [period_of(hours) for hours in (0, 0.9, 23.5, 24, 47.9, 48)] == [0, 0, 23, 24, 24, 25]


GOALS = {
    "reporting": ("weekly report for the board", "show me charts of revenue", "monthly figures"),
    "automation": ("run imports every night", "automate the sync", "trigger jobs by webhook"),
}


def _texts() -> tuple[list[str], list[str]]:
    fill = ("please", "we want to", "I need to", "how do I", "our team must")
    pairs = [(f"{f} {t}", label) for label, texts in GOALS.items() for t in texts for f in fill]
    return [text for text, _ in pairs], [label for _, label in pairs]


def test_texts_are_told_apart_and_served_from_json(tmp_path: Path) -> None:
    texts, labels = _texts()
    model = fit_text(texts, labels, recipe=TextRecipe(terms=800))
    (tmp_path / "intent.json").write_bytes(model.dumps())
    served = TextClassifier.load(tmp_path / "intent.json")
    odds = served.odds("a report of revenue for the board, weekly")
    assert odds["reporting"] > 0.6
    assert sum(odds.values()) == pytest.approx(1)
    assert odds == TextClassifier(model).odds("A REPORT of revenue for the board, weekly")
    assert "report" in served.evidence("a report of revenue", "reporting")
    assert served.label("") in {"unknown", *GOALS}


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"format": 9}'])
def test_a_file_that_is_no_text_model_is_named(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "intent.json").write_bytes(raw)
    with pytest.raises(TextModelError, match=r"intent\.json"):
        TextClassifier.load(tmp_path / "intent.json")
