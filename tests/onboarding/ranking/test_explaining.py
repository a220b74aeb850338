"""Why this: reasons that are true of the model, said in approved sentences."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from evals.onboarding.faithful import faithful
from onboarding.actions import short_list
from onboarding.ranking import (
    Cohort,
    Rung,
    Stratum,
    adjusted,
    approved,
    cohort_why,
    decide,
    load_sentences,
    opened,
    with_profile,
)
from onboarding.ranking.sentences import joined
from onboarding.rules import DataFileError
from onboarding.training import Recipe, Request, learn
from onboarding.types import Decision, Snapshot, Why
from tests.onboarding.ranking.making import ADMIN, ALWAYS, NOON, log, questions, ranker, version


@cache
def decisions() -> list[Decision]:
    return [decide(each, ranker(), ALWAYS) for each in questions()]


def test_contributions_and_base_are_the_raw_score() -> None:
    for asked in questions()[:50]:
        rows = version().encoding.rows(asked.snapshot.values, (*short_list(asked.candidates), None))
        parts = version().champion.contributions(rows)
        assert np.abs(parts.sum(axis=1) - version().champion.raw(rows)).max() < 1e-6


def test_every_card_is_explained_and_the_reasons_are_true() -> None:
    shown = faithful(ranker()._explainer, decisions())
    assert shown.coverage == 1.0
    assert shown.cards >= 60
    assert shown.by_model >= 0.4
    assert shown.falls >= 0.95
    assert shown.place_falls >= 0.95
    assert shown.lead_falls >= 0.95
    assert shown.ratio >= 2.0


def test_reasons_of_a_shuffled_model_are_not_true() -> None:
    rows = log()
    rng = np.random.default_rng(3)
    turned = rng.permutation(len(rows))
    shuffled = [
        replace(row, activated=rows[n].activated, completed=rows[n].completed)
        for row, n in zip(rows, turned, strict=True)
    ]
    other = opened(
        learn(shuffled, Request("v0", Rung.ACTIVATE, recipe=Recipe(trees=60), bootstraps=1)).files
    )
    shown = faithful(ranker()._explainer, decisions(), judge=other)
    assert shown.falls < 0.95
    assert shown.place_falls < 0.7
    assert shown.lead_falls < 0.95
    assert shown.ratio < 2.0


def test_a_card_at_the_end_of_the_list_is_explained_by_its_rule() -> None:
    """It has no place to lose."""
    both = zip(questions(), decisions(), strict=True)
    sure = [asked for asked, made in both if made.fallback is None]
    for asked in sure[:40]:
        ranked = ranker().rank(asked, short_list(asked.candidates), ALWAYS)
        last = ranked.order[-1].action
        assert last not in ranker().explain(asked, ranked, (last,))


def test_two_groups_are_said_one_after_the_other() -> None:
    why = joined([Why("why.role", {"role": "admin"}), Why("why.size", {"size": "1-10"})])
    assert approved().said(why, "en") == (
        "It suits your role: administrator. It suits a company of 1 to 10 people."
    )
    assert approved().said(joined([why, Why("why.nothing")]), "en") is None


def test_a_named_contribution_moved_the_card() -> None:
    named = [card.why for each in decisions() for card in each.cards if card.why.group]
    assert named
    assert all(why.contribution is not None and why.contribution > 0 for why in named)
    english = approved().locales["en"].sentences
    assert all(key in english for why in named for key in why.key.split("+"))


def test_every_reason_can_be_said_in_both_languages() -> None:
    for each in decisions():
        for card in each.cards:
            if card.why.group:
                english, german = (approved().said(card.why, at) for at in ("en", "de-CH"))
                assert english and german and english != german
                assert "{" not in english + german
                assert "unknown" not in english


def test_a_rule_has_its_own_sentence_elsewhere() -> None:
    assert approved().said(Why("action.connect"), "en") is None


def test_an_unknown_role_or_one_without_words_is_not_named() -> None:
    for role in ("unknown", "astronaut"):
        assert approved().spoken("role", {"role": role}) is None
    assert approved().spoken("role", {"role": "admin"}) == Why("why.role", {"role": "admin"})
    assert approved().spoken("other", {}) is None


def test_what_one_locale_lacks_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "groups.yaml").write_text("version: 1\ngroups:\n  - {group: a, features: [a]}\n")
    texts = {"en": "why.a: 'So {a}'\n  why.b: B", "de": "why.a: 'So {b}'"}
    for name, lines in texts.items():
        (tmp_path / "texts" / f"{name}.yaml").write_text(f"locale: {name}\nsentences:\n  {lines}\n")
    with pytest.raises(DataFileError) as raised:
        load_sentences(tmp_path)
    assert len(raised.value.problems) == 2


def test_the_profile_stands_in_the_snapshot_that_is_stored() -> None:
    told = with_profile(Snapshot(NOON, {"x": 1.0}, "s"), ADMIN, ("role", "intent")).values
    assert told == {
        "x": 1.0,
        "role": "admin",
        "intent": "unknown",
        "odds.role.admin": 0.8,
        "odds.role.developer": 0.2,
    }


BIG = Stratum(400, 200, 400, 100)
COHORT = Cohort("connect", (BIG,), 40, 30, date(2026, 1, 1), date(2026, 2, 1), "q1")


def test_a_cohort_is_named_with_its_figure_rounded_down() -> None:
    why = cohort_why(replace(COHORT, strata=(Stratum(400, 199, 400, 100),)))
    assert why is not None
    assert why.values["times"] == "1.9"
    assert approved().said(why, "en") == (
        "Similar teams that did this reached the goal 1.9 times as often"
        " (40 teams, 2026-01-01 to 2026-02-01)."
    )


@pytest.mark.parametrize(
    "cohort",
    [
        replace(COHORT, accounts_did=9),
        replace(COHORT, accounts_others=9),
        replace(COHORT, strata=(Stratum(49, 40, 400, 100),)),
        replace(COHORT, strata=(Stratum(400, 200, 49, 5),)),
        replace(COHORT, strata=(Stratum(60, 33, 60, 30),)),
        replace(COHORT, strata=(Stratum(400, 100, 400, 200),)),
        replace(COHORT, strata=(Stratum(400, 0, 400, 0),)),
    ],
    ids=["few teams", "few others", "few users", "few other users", "unsure", "below", "nobody"],
)
def test_a_cohort_that_is_too_small_or_not_surely_better_is_not_named(cohort: Cohort) -> None:
    assert cohort_why(cohort) is None


def test_the_ratio_is_adjusted_for_who_they_are() -> None:
    """Teams that did it are of the better stratum: crudely 1.6 times, within each not at all."""
    ratio = adjusted((Stratum(900, 720, 100, 80), Stratum(100, 20, 900, 180)))
    assert ratio is not None
    assert ratio.value == pytest.approx(1.0)
    assert ratio.low < 1 < ratio.high
