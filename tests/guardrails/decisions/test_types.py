"""What a decision may hold: enums, ids, numbers, and no sentence of a person."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.decisions import (
    Amount,
    Assignment,
    Cursor,
    Decision,
    Kind,
    Place,
    Retention,
    Versions,
    evidence_id,
)
from guardrails.refs import ref
from tests.contracts.decisions import ANSWER, HELPFUL, NOON

SENTENCE = "my password is hunter2"
WRONG: tuple[Callable[[], object], ...] = (
    lambda: replace(ANSWER, id="short"),
    lambda: replace(ANSWER, id="a" * 21 + " "),
    lambda: replace(ANSWER, tenant=SENTENCE),
    lambda: replace(ANSWER, tenant="*"),
    lambda: replace(ANSWER, subject=SENTENCE),
    lambda: replace(ANSWER, subject=""),
    lambda: replace(ANSWER, reason=SENTENCE),
    lambda: replace(ANSWER, reason="ana@acme.io"),
    lambda: replace(ANSWER, evidence=(SENTENCE,)),
    lambda: replace(ANSWER, evidence=("a",) * 201),
    lambda: replace(ANSWER, at=NOON.replace(tzinfo=None)),
    lambda: replace(ANSWER, amounts={Amount.TOTAL_MS: -1}),
    lambda: replace(ANSWER, amounts={Amount.TOTAL_MS: 2**53}),
    lambda: replace(ANSWER, amounts={Amount.TOTAL_MS: 1.5}),  # type: ignore[dict-item]
    lambda: replace(ANSWER, amounts={Amount.TOTAL_MS: True}),
    lambda: Place(thread_id=SENTENCE),
    lambda: Place(run_id="\ud800"),
    lambda: Place(message_id="a" * 201),
    lambda: Versions(model="ana@acme.io"),
    lambda: Versions(prompt=SENTENCE),
    lambda: Assignment(arm=SENTENCE),
    lambda: Assignment(experiment=SENTENCE),
    lambda: Assignment(propensity=0),
    lambda: Assignment(propensity=1.01),
    lambda: Assignment(propensity=math.nan),
    lambda: replace(HELPFUL, decision_id=SENTENCE),
    lambda: replace(HELPFUL, reason=SENTENCE),
    lambda: replace(HELPFUL, at=NOON.replace(tzinfo=None)),
)


@pytest.mark.parametrize("wrong", WRONG)
def test_no_field_takes_a_sentence(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError) as refused:  # what it says is below
        wrong()
    for part in ("hunter2", "ana"):
        assert part not in str(refused.value)


encodable = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(encodable)
def test_any_id_of_a_source_becomes_evidence(source: str) -> None:
    named = evidence_id(source)
    assert ref("evidence", named) == named
    assert named.isascii()


@given(st.sets(encodable, min_size=2))
def test_different_sources_stay_different(sources: set[str]) -> None:
    assert len({evidence_id(source) for source in sources}) == len(sources)


def test_a_path_is_still_read_as_one() -> None:
    assert evidence_id("guides/first-steps#3") == "guides/first-steps#3"
    assert evidence_id("guides/first steps#3") == "guides/first%20steps#3"
    assert evidence_id("x" * 300).startswith("sha256:")


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_cursor_survives_the_wire(at: datetime) -> None:
    cursor = Cursor(at, ANSWER.id)
    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize("text", ["", "~", "now~x", "2026-03-02T12:00:00~x"])
def test_a_forged_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|zone"):
        Cursor.parse(text)


def test_a_kind_without_retention_is_refused() -> None:
    days = dict.fromkeys(Kind, 30)
    assert Retention(days).days == days
    without: dict[Kind, int] = {kind: 30 for kind in Kind if kind is not Kind.NUDGE}
    for wrong in (without, {**days, Kind.NUDGE: 0}):
        with pytest.raises(ValueError, match=r"for: nudge"):
            Retention(wrong)


def test_a_decision_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        ANSWER.subject = "eve"  # type: ignore[misc]
    assert isinstance(ANSWER, Decision)
