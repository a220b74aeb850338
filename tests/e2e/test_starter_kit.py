"""Starter kits on a running Harbor: applied with edited values, with a receipt, and taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from onboarding.journeys import Kit, arguments, load_folder
from onboarding.store.journeys import CurrentCatalogues, Draft, JourneyDesk
from onboarding.store.journeys.catalogue_memory import MemoryCatalogues
from onboarding.store.journeys.progress_memory import MemoryProgress
from onboarding.types import Person, StepState
from tests.e2e.floor import Floor, open_floor
from tests.e2e.flow_cases import FAULTS, Case, differences, live
from tests.e2e.flow_runs import Run, doubled, over
from tests.harbor.running import ROOT, Harbor, running_harbor
from tests.onboarding.rules.worlds import event, fact, world
from tools.journal import State

FLOW = "apply_starter_kit"
FILES = ROOT / "examples" / "harbor" / "onboarding"
KITS = load_folder(FILES).kits
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


def made(harbor: Harbor, kind: str) -> dict[str, dict[str, Any]]:
    items = harbor.call("GET", f"/v1/{kind}").raise_for_status().json()["items"]
    return {each["name"]: each for each in items}


async def test_every_kit_is_applied_and_taken_back(floor: Floor) -> None:
    assert len(KITS) == 8
    for kit in KITS.values():
        before = live(floor.harbor.state())
        done = await floor.do(FLOW, arguments(kit))
        assert done.state is State.SUCCEEDED, (kit.name, done.reason, done.detail)
        for kind, items in (("dashboards", kit.dashboards), ("alerts", kit.alerts)):
            wanted = {str(item.with_["name"]) for item in items}
            assert wanted <= made(floor.harbor, kind).keys()
        assert not doubled(floor.harbor)
        taken_back = await floor.undo(done)
        assert taken_back.state is State.SUCCEEDED, (kit.name, taken_back.reason)
        assert differences(before, live(floor.harbor.state())) == []


async def test_edited_values_are_what_is_made_and_the_receipt_holds_it(floor: Floor) -> None:
    kit: Kit = KITS["fintech-admin"]
    done = await floor.do(FLOW, arguments(kit, EDITED))
    assert done.state is State.SUCCEEDED, (done.reason, done.detail)
    alerts = made(floor.harbor, "alerts")
    assert alerts["Weekly active customers"]["threshold"] == 7
    assert alerts["Daily customers fell"]["threshold"] == -30
    assert alerts["Daily customers fell"]["severity"] == "critical"
    assert alerts["Daily customers fell"]["cooldown_minutes"] == 240
    first = made(floor.harbor, "dashboards")["Onboarding and KYC"]
    digest = {"frequency": "weekly", "weekday": "fri", "at": "08:00"}
    assert first["digest"] == {**digest, "recipients": ["ana@acme.example"]}
    assert [tile["query"] for tile in first["tiles"]] == ["wau", "new_users", "funnel", "retention"]
    receipts = await floor.hands.journal.receipt_of(done.who.tenant, done.id)
    assert receipts is not None
    await floor.undo(done)
    assert "Onboarding and KYC" not in made(floor.harbor, "dashboards")
    assert "Weekly active customers" not in made(floor.harbor, "alerts")


async def test_what_was_edited_in_the_product_meanwhile_is_not_taken_away(floor: Floor) -> None:
    done = await floor.do(FLOW, arguments(KITS["saas-admin"]))
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
    done = await floor.do(FLOW, arguments(KITS["fintech-admin"]))
    assert done.state is State.FAILED
    assert "no room for all of the kit" in (done.detail or "")
    assert differences(before, live(floor.harbor.state())) == []


async def test_no_fault_on_any_step_loses_or_doubles_anything(one: Harbor, tmp_path: Path) -> None:
    operations = ("create_dashboard", "create_alert", "set_digest")
    case = Case(FLOW, arguments(KITS["fintech-admin"], EDITED), operations)
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
    done = await floor.do(FLOW, arguments(standing.composed.kit))
    receipt = await floor.hands.journal.receipt_of(done.who.tenant, done.id)
    assert receipt is not None
    assert await desk.complete(ana, step.action or "", at, [done.id]) == 1
    after = await desk.standing(ana, view)
    assert after is not None
    shown = {each.id: (each.state, each.evidence) for each in after.progress.steps}
    assert shown["kit"] == (StepState.DONE, (done.id,))
