"""Which journey a person begins, with which kit, and why; the same for the same."""

from __future__ import annotations

import subprocess
import sys
from itertools import permutations

import pytest

from onboarding.journeys import Catalogue, compose, mode_for, open_plays, pinned
from onboarding.types import UNKNOWN, Mode, Source
from tests.onboarding.journeys.files import CAPS, GOAL, TEXT, catalogue, journey, kit, play
from tests.onboarding.journeys.harbor import ROOT, harbor
from tests.onboarding.journeys.persons import story
from tests.onboarding.rules.worlds import event, fact, world

KITS = tuple(
    kit(
        "industry: fintech",
        f"persona: {persona}",
        "action: apply_kit",
        f"alerts: [{{id: a, title: {TEXT}, with: {{threshold: 3}}}}]",
        f"compliance: [{{id: n, text: {TEXT}, source: PCI DSS}}]",
        "steps: [{id: kit, action: kit, after: [connect, other]}, {id: view, action: kit}]",
    ).replace("fintech-admin", name)
    for name, persona in (("anybody", "anyone"), ("fintech-admin", "admin"))
)


def two() -> Catalogue:
    return catalogue(
        journey(GOAL, "priority: 2", "kits: true", "audience: {profile.role: admin}", name="admin"),
        journey(GOAL, "priority: 9", name="rest"),
        *KITS,
    )


@pytest.mark.parametrize(
    ("role", "industry", "name", "kit_ref"),
    [
        ("admin", "fintech", "admin", "fintech-admin@1"),
        ("admin", "other", "admin", None),
        ("end_user", "fintech", "rest", None),
    ],
)
def test_role_chooses_the_journey_and_industry_its_kit(
    role: str, industry: str, name: str, kit_ref: str | None
) -> None:
    composed = compose(two(), world(facts=[fact("role", role), fact("industry", industry)]))
    assert composed is not None
    assert composed.ref == f"{name}@1"
    assert (composed.kit.ref if composed.kit else None) == kit_ref


def test_a_kit_for_anyone_stands_behind_one_for_the_role() -> None:
    files = (journey(GOAL, "kits: true"), *KITS)
    view = world(facts=[fact("role", "end_user"), fact("industry", "fintech")])
    composed = compose(catalogue(*files), view)
    assert composed is not None
    assert composed.kit is not None
    assert composed.kit.name == "anybody"


def test_an_unsure_inference_chooses_no_role_and_no_kit() -> None:
    unsure = fact("role", "admin", 0.55, Source.INFERRED)
    composed = compose(two(), world(facts=[unsure, fact("industry", "fintech")]))
    assert composed is not None
    assert composed.ref == "rest@1"


def test_a_kit_step_waits_only_for_what_is_there() -> None:
    base = two().journeys["admin"]
    composed = pinned(base, two().kits["fintech-admin"])
    assert [step.id for step in composed.steps] == ["connect", "view", "kit"]
    assert composed.steps[-1].after == ("connect",)
    assert composed.steps[1].action == "view"  # the journey's own, not the kit's


def test_the_log_says_why() -> None:
    view = world(facts=[fact("role", "admin"), fact("industry", "fintech")])
    composed = compose(two(), view)
    assert composed is not None
    verdicts = {each.ref: (each.verdict, each.evidence) for each in composed.choices}
    assert verdicts == {
        "admin@1": ("chosen", ("m-role",)),
        "rest@1": ("behind", ("admin@1",)),
        "fintech-admin@1": ("chosen", ("m-industry", "m-role")),
        "anybody@1": ("behind", ()),
    }


def test_what_was_entered_before_is_passed_over() -> None:
    view = world(facts=[fact("role", "admin")])
    again = compose(two(), view, taken={"admin"})
    assert again is not None
    assert again.ref == "rest@1"
    assert compose(two(), view, taken={"admin", "rest"}) is None


def test_the_order_of_files_changes_nothing() -> None:
    view = world(facts=[fact("role", "admin"), fact("industry", "fintech")])
    texts = (journey(GOAL, "kits: true", name="b"), journey(GOAL, "kits: true", name="a"), *KITS)
    logs = {composed.log() for order in permutations(texts)
            if (composed := compose(catalogue(*order), view))}  # fmt: skip
    assert len(logs) == 1


PROGRAM = """
from tests.onboarding.journeys.harbor import harbor
from tests.onboarding.journeys.persons import story
import sys
sys.stdout.buffer.write(story(harbor()))
"""


def test_equal_input_gives_equal_bytes_in_another_process() -> None:
    there = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={"PYTHONHASHSEED": "4711", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    ).stdout
    assert there == story(harbor())
    assert there.count(b"\n") > 20


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("admin", "admin-first-value"),
        ("end_user", "end-user-quick-wins"),
        ("executive", "executive-value"),
        ("developer", "developer-first-call"),
        (UNKNOWN, "first-steps"),
    ],
)
def test_harbor_has_a_journey_for_every_role(role: str, name: str) -> None:
    facts = [] if role == UNKNOWN else [fact("role", role)]
    composed = compose(harbor(), world([event("Signed Up")], facts))
    assert composed is not None
    assert composed.journey.name == name


@pytest.mark.parametrize("industry", ["ecommerce", "fintech", "healthcare", "saas"])
@pytest.mark.parametrize("role", ["admin", "end_user"])
def test_harbor_has_a_kit_for_every_industry(industry: str, role: str) -> None:
    view = world(facts=[fact("role", role), fact("industry", industry)])
    composed = compose(harbor(), view)
    assert composed is not None
    assert composed.kit is not None
    assert composed.kit.name == f"{industry}-{role.replace('_', '-')}"
    assert composed.actions[-1].id == "kit"
    assert composed.actions[-1].after


def test_plays_come_by_priority_one_of_a_group_and_offers_after_the_goal() -> None:
    plays = [
        play("kpi: activated", "purpose: marketing", "after_goal: true", "priority: 1", CAPS),
        play("kpi: activated", "priority: 5", "exclusive: coach").replace("push", "late"),
        play("kpi: activated", "priority: 3", "exclusive: coach").replace("push", "soon"),
        play("kpi: activated", "audience: {event: Shared}").replace("push", "others"),
    ]
    found = catalogue(*plays)
    assert [p.name for p in open_plays(found, world(), reached=False)] == ["soon"]
    assert [p.name for p in open_plays(found, world(), reached=True)] == ["push", "soon"]


@pytest.mark.parametrize(
    ("skill", "chosen", "mode"),
    [
        ("advanced", None, Mode.ADVANCED),
        ("novice", None, Mode.SIMPLE),
        ("", None, Mode.SIMPLE),
        ("advanced", Mode.SIMPLE, Mode.SIMPLE),
        ("novice", Mode.ADVANCED, Mode.ADVANCED),
    ],
)
def test_mode_is_the_choice_else_by_skill(skill: str, chosen: Mode | None, mode: Mode) -> None:
    view = world(facts=[fact("proficiency", skill)] if skill else [])
    assert mode_for(view, chosen) is mode
