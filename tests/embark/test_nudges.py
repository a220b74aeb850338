"""Messages in the decision record: sent, held back, and never twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from embark.nudges import nudge_row, recording
from guardrails.decisions import Kind, Outcome, Row
from onboarding.interventions import Delivery, Reason, State
from tests.onboarding.interventions.making import NOON, message

MADE = message()
SENT = Delivery(MADE.id, MADE, State.SENT, NOON, NOON, changed_at=NOON)


def test_what_was_sent_is_a_nudge_with_what_decided_it() -> None:
    row = nudge_row(SENT, Outcome.SHOWN)
    assert (row.kind, row.outcome, row.subject) == (Kind.NUDGE, Outcome.SHOWN, MADE.person.user)
    assert row.versions.policy == MADE.journey.replace("@", "/")
    assert row.versions.tool == MADE.template


@pytest.mark.parametrize(
    ("state", "reason", "outcome"),
    [
        (State.HELD, Reason.QUIET_HOURS, Outcome.HELD),
        (State.SUPPRESSED, Reason.UNSUBSCRIBED, Outcome.HELD),
        (State.EXPIRED, Reason.LATE, Outcome.EXPIRED),
        (State.DEAD, Reason.TOO_MANY_TRIES, Outcome.FAILED),
    ],
)
def test_what_was_held_back_is_one_too_with_its_reason(
    state: State, reason: Reason, outcome: Outcome
) -> None:
    rows: list[Row] = []
    recording(rows.append)(replace(SENT, state=state, reason=reason))
    (row,) = rows
    assert (row.outcome, row.reason) == (outcome, reason.value)
    assert row.id != nudge_row(SENT, Outcome.SHOWN).id


def test_what_is_still_under_way_is_none() -> None:
    rows: list[Row] = []
    for state in (State.PLANNED, State.CLAIMED, State.RETRY):
        recording(rows.append)(replace(SENT, state=state))
    assert rows == []
    recording(None)(SENT)


def test_told_again_it_is_the_same_row() -> None:
    assert nudge_row(SENT, Outcome.SHOWN) == nudge_row(SENT, Outcome.SHOWN)
