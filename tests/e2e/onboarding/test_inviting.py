"""Whom to invite, over a real Harbor: the card names role, people and why, and the tool begins with
them."""

from __future__ import annotations

from uuid import uuid4

from tests.e2e.onboarding.people import Body, Someone, actions, spoken
from tests.e2e.onboarding.stage import Running
from tests.e2e.onboarding.test_conversation import of, text_of
from tests.e2e.onboarding.test_personas import with_data

CLEO = "cleo@northwind.example"
TRIES = 5


def sends_figures_to(owner: Someone, *addresses: str) -> None:
    dashboard = owner.product("GET", "/v1/dashboards")["items"][0]["id"]
    digest = {"frequency": "weekly", "recipients": list(addresses)}
    owner.product("PUT", f"/v1/dashboards/{dashboard}/digest", json=digest)


def invite_card(owner: Someone) -> Body:
    """What else is suggested before is put off."""
    standing = owner.steps()
    for _ in range(TRIES):
        if "invite_team" in actions(standing):
            break
        standing = owner.says_to_card(standing["cards"][0], "snoozed", snooze="1d")
    (card,) = [each for each in standing["cards"] if each["action"] == "invite_team"]
    return dict(card)


async def test_who_gets_the_figures_is_invited_with_the_role_that_is_missing(
    product: Running,
) -> None:
    owner = await with_data(product)
    sends_figures_to(owner, owner.email, CLEO, "auditor@elsewhere.example")
    card = invite_card(owner)
    assert card["arguments"] == {"role": "editor", "emails": [CLEO]}
    assert card["why"].startswith("There is data and a first dashboard")
    assert len(card["evidence"]) == 2
    thread = uuid4().hex
    asked = text_of(spoken(owner, thread, "Invite my team"))
    assert "Whom shall I invite?" in asked
    told = text_of(spoken(owner, thread, CLEO))
    assert "Role: editor" in told
    assert card["why"] in told, "the reason for what is preselected"
    (waits,) = of(spoken(owner, thread, "yes"), "RUN_FINISHED")
    assert waits["outcome"]["type"] == "interrupt"
    word = {
        "interruptId": waits["outcome"]["interrupts"][0]["id"],
        "status": "resolved",
        "payload": {"approved": True},
    }
    spoken(owner, thread, "", [word])
    (invite,) = owner.product("GET", "/v1/invites")["items"]
    assert (invite["email"], invite["role"]) == (CLEO, "editor")
    owner.until(lambda standing: "invite_team" not in actions(standing))  # it is done
