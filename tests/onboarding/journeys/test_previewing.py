"""What a new release would change, and for how many."""

from __future__ import annotations

from onboarding.journeys import Catalogue, Changed, Flow, preview
from onboarding.types import Person
from tests.onboarding.journeys.files import CAPS, GOAL, catalogue, journey, play
from tests.onboarding.rules.worlds import TENANT, event, fact, world

ADMIN = journey(GOAL, "audience: {profile.role: admin}", "priority: 1", name="admin")
REST = journey(GOAL, "priority: 9", name="rest")
PEOPLE = [
    *[(Person(TENANT, f"a{n}"), world(facts=[fact("role", "admin")])) for n in range(3)],
    *[(Person(TENANT, f"u{n}"), world([event("Shared")])) for n in range(2)],
]


def test_the_first_release_is_all_new() -> None:
    seen = preview(Catalogue(), catalogue(ADMIN, REST), PEOPLE)
    assert seen.people == 5
    assert seen.flows == (Flow("nothing", "admin@1", 3), Flow("nothing", "rest@1", 2))
    assert seen.changed == (
        Changed("journey", "admin", None, 1),
        Changed("journey", "rest", None, 1),
    )


def test_who_would_begin_another_journey() -> None:
    old = catalogue(ADMIN, REST)
    later = REST.replace("version: 1", "version: 2").replace("priority: 9", "priority: 0")
    push = play("kpi: activated", "audience: {event: Shared}", CAPS)
    new = catalogue(later, push)
    running = {"rest@1": 4, "admin@1": 2}
    seen = preview(old, new, PEOPLE, running)
    assert seen.flows == (Flow("admin@1", "rest@2", 3), Flow("rest@1", "rest@2", 2))
    assert seen.plays == (Flow("nothing", "push@1", 2),)
    assert (seen.stay, seen.move) == (running, {})
    assert Changed("journey", "admin", 1, None) in seen.changed
    gone = preview(new, old, PEOPLE)
    assert gone.plays == (Flow("push@1", "nothing", 2),)


def test_who_would_be_taken_along() -> None:
    moves = journey(GOAL, "migrate: {from: 1}", name="rest", version=2)
    seen = preview(catalogue(REST), catalogue(moves), (), {"rest@1": 412, "old@3": 1})
    assert (seen.move, seen.stay) == ({"rest@1": 412}, {"old@3": 1})


def test_nothing_changed() -> None:
    seen = preview(catalogue(ADMIN), catalogue(ADMIN), PEOPLE)
    assert seen.changed == ()
    assert seen.flows[0] == Flow("admin@1", "admin@1", 3)
