"""Starter kits on a running Harbor: edited on the card, made with one receipt, and taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from onboarding.journeys import Kit, load_folder
from onboarding.store.journeys import CurrentCatalogues, Draft, JourneyDesk
from onboarding.store.journeys.catalogue_memory import MemoryCatalogues
from onboarding.store.journeys.progress_memory import MemoryProgress
from onboarding.types import Person, StepState
from tests.e2e.floor import Floor, open_floor
from tests.e2e.flow_cases import Case, differences, live
from tests.e2e.flow_runs import Run, doubled, over
from tests.harbor.running import ROOT, Harbor, running_harbor
from tests.onboarding.rules.worlds import event, fact, world
from tools.acting import BadCallError
from tools.journal import Action, ApprovalError, State
from tools.tool import RejectedError

FLOW = "apply_starter_kit"
FILES = ROOT / "examples" / "harbor" / "onboarding"
KITS = load_folder(FILES).kits
FAULTS = ("403", "500", "drop_after_effect")
"""Those that differ: refused, nobody knows, done and not said. Other flows meet the rest."""
PLANS_ALERTS = 500
"""Of the demo's plan, Enterprise."""
EDITED: dict[str, JsonValue] = {"users": 7, "recipients": ["ana@acme.example"], "weekday": "fri"}


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbor]:
    with running_harbor(tmp_path_factory.mktemp("harbor")) as running:
        yield running


@pytest.fixture
async def floor(one: Harbor, tmp_path: Path) -> AsyncIterator[Floor]:
    one.reset()
    async with open_floor(one, tmp_path) as opened:
        yield opened


def picked(kit: Kit, **more: JsonValue) -> dict[str, JsonValue]:
    return {"industry": kit.industry, "persona": kit.persona, **more}


def made(harbor: Harbor, kind: str) -> dict[str, dict[str, Any]]:
    items = harbor.call("GET", f"/v1/{kind}").raise_for_status().json()["items"]
    return {each["name"]: each for each in items}


def shown(action: Action) -> dict[str, str]:
    assert action.card is not None
    return {field.name: field.value for field in action.card.fields}


async def edited(floor: Floor, card: Action, **changes: JsonValue) -> Action:
    arguments = {**card.call.arguments, **changes}
    return await floor.hands.acting.desk.edit(
        card.who.tenant, card.id, arguments, await floor.person()
    )


async def approved(floor: Floor, card: Action) -> Action:
    return await floor.settled(await floor.approve(card))


async def test_every_kit_is_made_and_taken_back(floor: Floor) -> None:
    assert len(KITS) == 8
    for kit in KITS.values():
        before = live(floor.harbor.state())
        done = await floor.do(FLOW, picked(kit))
        assert done.state is State.SUCCEEDED, (kit.name, done.reason, done.detail)
        for kind, items in (("dashboards", kit.dashboards), ("alerts", kit.alerts)):
            assert {item.default_name for item in items} <= made(floor.harbor, kind).keys()
        (noted,) = floor.harbor.call("GET", "/v1/kits/applied").json()["items"]
        assert (noted["name"], len(noted["dashboards"])) == (kit.industry, len(kit.dashboards))
        assert not doubled(floor.harbor)
        taken_back = await floor.undo(done)
        assert taken_back.state is State.SUCCEEDED, (kit.name, taken_back.reason)
        assert differences(before, live(floor.harbor.state())) == []


async def test_the_card_says_all_that_would_be_made_and_every_default(floor: Floor) -> None:
    card = await floor.ask(FLOW, picked(KITS["fintech-admin"]))
    assert shown(card) == {
        "industry": "fintech",
        "persona": "admin",
        "kit": "fintech-admin@2",
        "fall": "-30",
        "users": "200",
        "pause": "240",
        "weekday": "mon",
        "recipients": "0 items",
        "names": (
            '{"fall":"Daily customers fell","operations":"Transactions",'
            '"overview":"Onboarding and KYC","users":"Weekly active customers"}'
        ),
        "leave_out": "0 items",
    }
    assert card.card is not None
    assert [line.partition(":")[0] for line in card.card.steps] == [
        "Dashboard “Onboarding and KYC”",
        "Dashboard “Transactions”",
        "Alert “Daily customers fell”",
        "Alert “Weekly active customers”",
    ]
    assert "threshold -30, severity critical, cooldown minutes 240" in card.card.steps[2]
    assert "Not made: mail “Onboarding and KYC” (nobody receives it)." in card.card.notes
    assert any("Regulation (EU) 2016/679" in note for note in card.card.notes)


async def test_edited_values_are_what_is_made_and_one_receipt_holds_it(floor: Floor) -> None:
    card = await floor.ask(FLOW, picked(KITS["fintech-admin"]))
    names: dict[str, JsonValue] = {"overview": "KYC", "fall": "Customers fell"}
    names |= {"users": "Weekly active customers"}
    second = await edited(floor, card, **EDITED, names=names, leave_out=["operations"])
    assert (await floor.action(card)).reason == "edited"
    assert second.digest != card.digest
    done = await approved(floor, second)
    assert done.state is State.SUCCEEDED, (done.reason, done.detail)
    assert done.result["made"] == [
        "dashboard KYC", "mail KYC", "alert Customers fell", "alert Weekly active customers",
    ]  # fmt: skip
    alerts = made(floor.harbor, "alerts")
    assert alerts["Weekly active customers"]["threshold"] == 7
    assert alerts["Customers fell"]["threshold"] == -30
    assert alerts["Customers fell"]["severity"] == "critical"
    assert alerts["Customers fell"]["cooldown_minutes"] == 240
    dashboards = made(floor.harbor, "dashboards")
    digest = {"frequency": "weekly", "weekday": "fri", "at": "08:00"}
    assert dashboards["KYC"]["digest"] == {**digest, "recipients": ["ana@acme.example"]}
    assert [t["query"] for t in dashboards["KYC"]["tiles"]] == [
        "wau", "new_users", "funnel", "retention",
    ]  # fmt: skip
    assert "Transactions" not in dashboards
    receipts = await floor.hands.journal.receipt_of(done.who.tenant, done.id)
    assert len(receipts) == 1
    await floor.undo(done)
    assert "KYC" not in made(floor.harbor, "dashboards")
    assert "Customers fell" not in made(floor.harbor, "alerts")


async def test_another_kit_on_the_card_brings_its_own_defaults(floor: Floor) -> None:
    card = await floor.ask(FLOW, picked(KITS["fintech-admin"], weekday="fri"))
    other = await edited(floor, card, industry="healthcare", persona="end_user")
    fields = shown(other)
    assert (fields["kit"], fields["users"], fields["weekday"]) == (
        "healthcare-end-user@2", "50", "fri",
    )  # fmt: skip
    assert "pause" not in fields
    assert "Patient portal use" in fields["names"]


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"users": 0}, "users"),
        ({"fall": 5}, "fall"),
        ({"weekday": "sun"}, "weekday"),
        ({"names": {"mine": "Ours"}}, "mine"),
        ({"leave_out": ["mine"]}, "mine"),
        ({"recipients": ["nobody"]}, "recipients"),
    ],
)
async def test_what_the_kit_cannot_take_is_told_by_name(
    floor: Floor, changes: dict[str, JsonValue], wrong: str
) -> None:
    with pytest.raises(BadCallError) as refused:
        await floor.ask(FLOW, picked(KITS["fintech-admin"], **changes))
    assert wrong in refused.value.errors


async def test_what_is_there_already_is_not_made_again(floor: Floor) -> None:
    kit = KITS["saas-admin"]
    first = await floor.do(FLOW, picked(kit))
    assert first.state is State.SUCCEEDED
    with pytest.raises(RejectedError, match="nothing_to_make"):
        await floor.ask(FLOW, picked(kit))
    raised = await floor.ask(FLOW, picked(kit, users=900))
    assert raised.card is not None
    assert [line.partition(":")[0] for line in raised.card.steps] == ["Alert “Weekly active users”"]
    assert "There already, not made again: dashboard “Revenue”." in raised.card.notes
    assert any("this makes a second" in note for note in raised.card.notes)


async def test_a_card_is_void_once_something_of_that_name_is_there(floor: Floor) -> None:
    card = await floor.ask(FLOW, picked(KITS["ecommerce-admin"]))
    body = {"name": "Checkout", "tiles": []}
    floor.harbor.call("POST", "/v1/dashboards", json=body).raise_for_status()
    with pytest.raises(ApprovalError) as void:
        await floor.approve(card)
    assert void.value.code == "target_changed"
    assert made(floor.harbor, "alerts") == {}


async def test_what_was_edited_in_the_product_meanwhile_is_not_taken_away(floor: Floor) -> None:
    done = await floor.do(FLOW, picked(KITS["saas-admin"]))
    alert = made(floor.harbor, "alerts")["Weekly active users"]
    path = f"/v1/alerts/{alert['id']}"
    tag = floor.harbor.call("GET", path).headers["etag"]
    body = {"name": "Ours now"}
    floor.harbor.call("PATCH", path, json=body, headers={"If-Match": tag}).raise_for_status()
    taken_back = await floor.undo(done)
    assert taken_back.state is State.FAILED
    assert "Ours now" in made(floor.harbor, "alerts")


async def test_a_plan_without_room_keeps_nothing_of_the_kit(floor: Floor) -> None:
    there = len(made(floor.harbor, "alerts"))
    for number in range(PLANS_ALERTS - there - 1):  # room for one of two
        body = {"metric_id": "met_wau", "condition": "below", "threshold": number}
        floor.harbor.call("POST", "/v1/alerts", json=body).raise_for_status()
    before = live(floor.harbor.state())
    done = await floor.do(FLOW, picked(KITS["fintech-admin"]))
    assert done.state is State.FAILED
    assert "no room for all of the kit" in (done.detail or "")
    assert differences(before, live(floor.harbor.state())) == []


async def test_no_fault_on_any_step_loses_or_doubles_anything(one: Harbor, tmp_path: Path) -> None:
    operations = ("create_dashboard", "create_alert", "set_digest", "record_kit")
    case = Case(FLOW, picked(KITS["fintech-admin"], **EDITED), operations)
    runs = [Run("kit", case, operation, fault) for operation in operations for fault in FAULTS]
    one.reset()
    verdicts = await over([one], runs, tmp_path)
    assert [each for each in verdicts if each.wrong] == []
    assert len(verdicts) == len(operations) * len(FAULTS)


async def test_the_step_that_asked_for_it_is_done_with_the_receipt(floor: Floor) -> None:
    files = MemoryCatalogues()
    at = datetime.now(UTC)
    await files.publish("default", Draft(load_folder(FILES).sources, "growth", at), None)
    desk = JourneyDesk(MemoryProgress(), CurrentCatalogues(files))
    ana = Person("default", "ana", "acme")
    facts = [fact("role", "admin"), fact("industry", "fintech")]
    view = world([event("Signed Up"), event("Import Finished")], facts)
    standing = await desk.standing(ana, view)
    assert standing is not None
    assert standing.composed.kit is not None
    step = next(each for each in standing.composed.actions if each.id == "kit")
    done = await floor.do(FLOW, picked(standing.composed.kit))
    receipt = await floor.hands.journal.receipt_of(done.who.tenant, done.id)
    assert receipt is not None
    assert await desk.complete(ana, step.action or "", at, [done.id]) == 1
    after = await desk.standing(ana, view)
    assert after is not None
    shown_steps = {each.id: (each.state, each.evidence) for each in after.progress.steps}
    assert shown_steps["kit"] == (StepState.DONE, (done.id,))
