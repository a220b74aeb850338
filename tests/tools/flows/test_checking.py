"""Flows against tools: what no file can know by itself is said in one line a mistake."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.tools.flows.stage import ShopReader, flow, step
from tests.tools.twins import Shelf, Shop, ShopTool, manifest
from tools.flows import flow_problems
from tools.types import Tier

READ = {"do": "read_item", "with": {"name": "x"}}
OPEN = {"id": "x", "title": "X", "why": "Y.", "open": {}, "risk": "low"}
UNTIL = {"$result": "a", "at": "/value", "present": True}


def shelf() -> Shelf:
    shop = Shop()
    return Shelf(ShopTool(shop, manifest("a", Tier.R2)), ShopReader(shop))


def test_a_sound_flow_has_no_problems() -> None:
    sound = flow(step("a", wait={**READ, "until": UNTIL}, done_read=READ, done_if=UNTIL))

    assert flow_problems([sound], shelf()) == ()


@pytest.mark.parametrize(
    ("mistaken", "more", "problem"),
    [
        (step("b"), {}, "flow.b: there is no tool b"),
        (step("a"), {"tier": 1}, "flow.a: a is R2, the flow is approved as R1"),
        (step("a"), {"rights": []}, "flow.a: a needs items:write, which the flow does not ask for"),
        (step("a", **{"with": {}}), {}, "flow.a: a needs name"),
        (step("a", **{"with": {"name": "a", "size": 1}}), {}, "flow.a: a has no argument size"),
        (step("a", wait={"do": "a", "with": {"name": "a"}, "until": UNTIL}), {},
         "flow.a: a does more than read"),
        (step("a", wait={"do": "read_item", "with": {"id": 1}, "until": UNTIL}), {},
         "flow.a: read_item has no argument id"),
        (step("a"), {"look": {"do": "gone"}}, "flow.look: there is no tool gone"),
        (step("a"), {"reminders": {"look": {"do": "gone"}, "items": [OPEN]}},
         "flow.reminders: there is no tool gone"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(
    mistaken: Mapping[str, object], more: dict[str, object], problem: str
) -> None:
    assert flow_problems([flow(mistaken, **more)], shelf()) == (problem,)
