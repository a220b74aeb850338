"""Kits against their flow: what people may say of them, and what neither file can know alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import JsonValue

from onboarding.journeys import FileKind, Kit, load_folder
from tests.harbor.running import ROOT
from tools.flows import FlowDefinition, flow_manifests, read_flow
from tools.flows.offering import kit_problems
from tools.types import Manifest

HARBOR = ROOT / "examples" / "harbor"
FLOW = read_flow(HARBOR / "flows" / "apply_starter_kit.yaml")
KITS = tuple(load_folder(HARBOR / "onboarding", (FileKind.KIT,)).kits.values())
FALL = KITS[1].values[0]


def manifest(kits: tuple[Kit, ...] = KITS) -> Manifest:
    (found,) = flow_manifests([FLOW], kits)
    return found


def of(value: JsonValue, *names: str) -> JsonValue:
    for name in names:
        assert isinstance(value, dict)
        value = value[name]
    return value


def changed(kit: Kit, **values: object) -> Kit:
    return kit.model_copy(update=values)


def test_only_kits_that_ship_are_read(tmp_path: Path) -> None:
    assert len(KITS) == 8
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "broken.yaml").write_text("journey: [")
    assert load_folder(tmp_path, (FileKind.KIT,)).kits == {}


def test_a_person_says_industry_and_persona_and_may_edit_the_rest() -> None:
    schema = manifest().schema
    assert schema["required"] == ["industry", "persona"]
    assert of(schema["properties"], "industry", "enum") == [
        "ecommerce", "fintech", "healthcare", "saas",
    ]  # fmt: skip
    assert of(schema["properties"], "persona", "enum") == ["admin", "end_user"]
    assert of(schema["properties"], "pause") == {
        "type": "integer", "minimum": 15, "maximum": 10080,
    }  # fmt: skip
    assert manifest().arguments["persona"].fill == "profile.role"


def test_the_version_stands_for_every_kit() -> None:
    first, *rest = KITS
    (value, *others) = first.values
    dearer = changed(first, values=(value.model_copy(update={"default": -20}), *others))
    assert manifest().version != manifest((dearer, *rest)).version
    assert manifest().version.startswith(f"{FLOW.version}-")


def test_without_kits_there_is_no_such_tool() -> None:
    assert flow_manifests([FLOW]) == ()


def test_what_ships_fits() -> None:
    assert list(kit_problems(FLOW, KITS)) == []


@pytest.mark.parametrize(
    ("kit", "told"),
    [
        (changed(KITS[1], persona="admin"), "another kit is of ecommerce for admin too"),
        (
            changed(KITS[1], dashboards=KITS[1].dashboards * 2, workflows=()),
            "dashboards: must name at most 3",
        ),
        (
            changed(KITS[1], values=(*KITS[1].values, FALL.model_copy(update={"key": "dip"}))),
            "the flow has no label for dip",
        ),
    ],
    ids=["twice", "too much", "no label"],
)
def test_what_does_not_fit_is_told(kit: Kit, told: str) -> None:
    said = [message for _, message in _problems(FLOW, (KITS[0], kit))]
    assert any(told in message for message in said), said


def _problems(flow: FlowDefinition, kits: tuple[Kit, ...]) -> list[tuple[str, str]]:
    return list(kit_problems(flow, kits))
