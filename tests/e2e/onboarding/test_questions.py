"""One question to somebody of whom nothing is known, over a real Harbor: it splits the branches."""

from __future__ import annotations

from uuid import uuid4

from tests.e2e.onboarding.people import actions, invited, signed_up, spoken
from tests.e2e.onboarding.stage import Running
from tests.e2e.onboarding.test_conversation import QUESTION, shown, state_of, text_of
from tests.e2e.onboarding.test_personas import journey


def test_a_newcomer_is_asked_once_and_the_branch_follows(product: Running) -> None:
    newcomer = invited(signed_up(product), "editor")
    first = newcomer.until(lambda standing: bool(standing["checklist"]))
    assert journey(first) == "first-steps"
    question = first["question"]
    assert question["id"] == "role"
    thread = uuid4().hex
    events = spoken(newcomer, thread, QUESTION)
    assert question["asks"] in text_of(events)
    assert state_of(events)["question"] == shown(events, "embark.next_actions")["question"]
    assert state_of(events)["question"]["session"] == question["session"]
    assert "noted" in text_of(spoken(newcomer, thread, "A developer."))
    after = newcomer.steps()
    assert journey(after) == "developer-first-call"
    assert after["question"] is None
    assert "create_api_key" not in actions(first)
    assert "create_api_key" in actions(after) or after["cards"] == []  # drawn to be shown nothing
    role = newcomer.profile()["role"]
    assert (role["value"], role["source"]) == ("developer", "declared")
    assert role["evidence"] == [f"question:role@{question['session']}"]
