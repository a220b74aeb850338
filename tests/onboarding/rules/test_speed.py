"""What one rule costs: the reference aims at 1 to 2 us for four clauses (section 6)."""

from __future__ import annotations

import timeit

import pytest
from pydantic import TypeAdapter

from onboarding.rules import Rule, compile_rule
from tests.onboarding.rules.worlds import event, fact, world

RUNS = 20_000


@pytest.mark.alone
def test_four_clauses_take_microseconds() -> None:
    rule: Rule = TypeAdapter(Rule).validate_python(
        {
            "all": [
                {"event": "Signed Up"},
                {"feature.days_since_signup": "<14"},
                {"profile.role": {"is": "admin", "confidence": ">=0.6"}},
                {"not": {"state.sso": True}},
            ]
        }
    )
    view = world(
        [event("Signed Up")], [fact("role", "admin")], {"sso": False}, {"days_since_signup": 1.0}
    )
    test = compile_rule(rule)
    assert test(view)
    cost_us = min(timeit.repeat(lambda: test(view), number=RUNS, repeat=5)) / RUNS * 1e6
    assert cost_us < 10, f"{cost_us:.2f} us"  # several times what was measured
