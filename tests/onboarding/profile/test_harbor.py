"""Harbor's files of profiles: they load, and speak of events and fields that Harbor has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from onboarding.events import SHIPPED, load_catalogue
from onboarding.profile import load_beliefs, load_graph
from onboarding.profile.readiness import load_readiness

HARBOR = Path(__file__).parents[3] / "examples" / "harbor" / "onboarding"
FILES = HARBOR / "profile"
EVENTS = load_catalogue(SHIPPED, HARBOR / "events")


def named() -> Iterator[tuple[str, str | None]]:
    """Events of the files, with the fields that are read of them."""
    for belief in load_beliefs(FILES / "beliefs.yaml").beliefs:
        for occasion in (*belief.yes, *belief.no):
            yield occasion.event, None
            yield from ((occasion.event, field) for field in occasion.where)
    graph = load_graph(FILES / "graph.yaml")
    for rule in graph.edges:
        yield rule.event, rule.field
    for success, errors in graph.solves.items():
        yield success, None
        yield from ((error, graph.code) for error in errors)
    reads = load_readiness(FILES / "readiness.yaml").reads
    yield from ((each, None) for each in (reads.signup, reads.goal))


@pytest.mark.parametrize(("event", "field"), sorted(set(named()), key=str))
def test_harbor_has_it(event: str, field: str | None) -> None:
    assert event in EVENTS
    assert field is None or EVENTS.field(event, field) is not None


def test_conditions_have_values_that_may_come() -> None:
    for belief in load_beliefs(FILES / "beliefs.yaml").beliefs:
        for occasion in (*belief.yes, *belief.no):
            for name, value in occasion.where.items():
                spec = EVENTS.field(occasion.event, name)
                assert spec is not None
                assert not spec.values or value in spec.values, (belief.id, name, value)
