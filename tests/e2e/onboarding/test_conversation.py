"""What should I do next? The answer, its cards, a plain yes, and the step that is done after it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from tests.e2e.onboarding.people import (
    Body,
    Someone,
    imports_csv,
    signed_up,
    spoken,
    states,
)
from tests.e2e.onboarding.stage import Running

QUESTION = "What should I do next?"
TRIES = 5


def of(events: list[Body], kind: str) -> list[Body]:
    return [event for event in events if event["type"] == kind]


def state_of(events: list[Body]) -> Body:
    """The public state after a run, as a page has it."""
    state: Body = {}
    for event in events:
        if event["type"] == "STATE_SNAPSHOT":
            state = dict(event["snapshot"])
        for change in event.get("delta", ()) if event["type"] == "STATE_DELTA" else ():
            assert change["op"] in {"replace", "add"}
            name, *rest = change["path"].strip("/").split("/")
            assert not rest, change
            state[name] = change["value"]
    return state


def text_of(events: list[Body]) -> str:
    return "".join(event["delta"] for event in of(events, "TEXT_MESSAGE_CONTENT"))


def shown(events: list[Body], kind: str) -> Any:
    found = [e["content"] for e in of(events, "ACTIVITY_SNAPSHOT") if e["activityType"] == kind]
    assert found, [event["type"] for event in events]
    return found[-1]


def ready_to_build(product: Running) -> Someone:
    """Data is there, and the first card is the dashboard: what else came first was put off."""
    for _ in range(TRIES):
        owner = signed_up(product)
        owner.until(lambda standing: bool(standing["checklist"]))
        imports_csv(owner)
        standing = owner.until(lambda found: states(found)["dashboard"] == "open")
        while standing["cards"] and standing["cards"][0]["action"] != "day_one_dashboard":
            standing = owner.says_to_card(standing["cards"][0], "snoozed", snooze="1d")
        if standing["cards"]:
            return owner
    raise AssertionError("no cards for anybody")


def test_the_answer_is_the_cards(product: Running) -> None:
    owner = ready_to_build(product)
    standing = owner.steps()
    events = spoken(owner, uuid4().hex, QUESTION)
    state = state_of(events)
    done = {step["id"]: step["done"] for step in state["checklist"]}
    assert done == {name: of == "done" for name, of in states(standing).items()}
    cards = [card["action"] for card in standing["cards"]]
    assert [card["action"] for card in state["nextActions"]] == cards
    assert [card["action"] for card in shown(events, "embark.next_actions")["cards"]] == cards
    assert {card["decision"] for card in state["nextActions"]} == {
        card["decision"] for card in standing["cards"]
    }
    text = text_of(events)
    assert all(card["title"] in text for card in standing["cards"])


def test_yes_does_the_first_card(product: Running) -> None:
    owner = ready_to_build(product)
    thread = uuid4().hex
    before = state_of(spoken(owner, thread, QUESTION))
    assert {step["id"]: step["done"] for step in before["checklist"]}["dashboard"] is False
    asked = spoken(owner, thread, "yes")
    (waits,) = of(asked, "RUN_FINISHED")
    assert waits["outcome"]["type"] == "interrupt", text_of(asked)
    assert owner.product("GET", "/v1/dashboards")["items"] == [], "nothing without a word"
    word = {
        "interruptId": waits["outcome"]["interrupts"][0]["id"],
        "status": "resolved",
        "payload": {"approved": True},
    }
    spoken(owner, thread, "", [word])
    owner.until(lambda found: states(found)["dashboard"] == "done")
    assert len(owner.product("GET", "/v1/dashboards")["items"]) == 1
    after = state_of(spoken(owner, thread, QUESTION))
    assert {step["id"]: step["done"] for step in after["checklist"]}["dashboard"] is True
    assert "day_one_dashboard" not in {card["action"] for card in after["nextActions"]}
    assert owner.until(lambda found: found["reached"])["journey"], "Harbor has told of it"
