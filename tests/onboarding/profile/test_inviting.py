"""Whom to invite, when, with which role: what the graph of one account shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from onboarding.profile import edges_of, load_graph
from onboarding.profile.graph import End, GraphQueries, Team
from onboarding.profile.inviting import load_invites, suggest
from onboarding.rules import DataFileError
from onboarding.store.profile.graph_memory import MemoryGraph
from onboarding.types import UNKNOWN
from tests.contracts.profile_graph import NOW
from tests.onboarding.engine.floor import HARBOR
from tests.onboarding.profile.making import CONSENTED
from tests.onboarding.profile.test_graph import event

FILE = load_invites(HARBOR / "profile" / "invites.yaml")
SPEC = load_graph(HARBOR / "profile" / "graph.yaml")


def end(name: str, *evidence: str) -> End:
    return End(name, 1, evidence)


VALUE = {"import": end("step:import", "m1"), "dashboard": end("step:dashboard", "m2")}
ALONE = Team(1, {"owner": end("role:owner", "m0")}, {}, VALUE)
STOPPED = {"create_connection": end("right:create_connection", "m9")}
BUILDER = {"editor": end("role:editor", "m3")}


@pytest.mark.parametrize(
    ("team", "role", "members", "found"),
    [
        (ALONE, UNKNOWN, 1, ("builds", "editor", ("m1", "m2"))),
        (replace(ALONE, finished={}), UNKNOWN, 1, None),  # before the first value
        (replace(ALONE, finished={}), "executive", 1, ("connects", "admin", ())),
        (replace(ALONE, denied=STOPPED, finished={}), UNKNOWN, 1, ("unblocks", "admin", ("m9",))),
        (replace(ALONE, roles=BUILDER), UNKNOWN, 1, ("reads", "viewer", ("m1", "m2"))),
        (replace(ALONE, near=(end("user:x", "m7"),), roles=BUILDER), UNKNOWN, 1,
         ("joins", "viewer", ("m1", "m2"))),
        # somebody of the workspace did not consent: their role is not known
        (ALONE, UNKNOWN, 2, ("reads", "viewer", ("m1", "m2"))),
        (ALONE, UNKNOWN, None, ("reads", "viewer", ("m1", "m2"))),
    ],
)  # fmt: skip
def test_the_first_whose_needs_are_there(
    team: Team, role: str, members: int | None, found: tuple[str, str, tuple[str, ...]] | None
) -> None:
    made = suggest(FILE, team, role, members)
    assert (None if made is None else (made.id, made.role, made.evidence)) == found


async def test_the_team_is_what_the_events_of_its_members_say() -> None:
    graph = MemoryGraph()
    told = (
        event("identify", 1, role="owner", email_domain="northwind.example"),
        event("Import Finished", 2),
        event("identify", 3, "ben", role="editor", email_domain="northwind.example"),
        event("Permission Denied", 4, "ben", operation="create_connection"),
        replace(event("identify", 5, "far", email_domain="northwind.example"), account="other"),
        replace(event("identify", 6, "gil", email_domain="gmail.com"), account="third"),
    )
    for each in told:
        await graph.add("t", edges_of(each, SPEC, CONSENTED))
    team = await GraphQueries(graph).team("t", "acme", NOW)
    assert (team.members, set(team.roles), set(team.finished)) == (
        2,
        {"owner", "editor"},
        {"import"},
    )
    assert team.denied["create_connection"].evidence == ("m4",)
    assert [each.node for each in team.near] == ["user:far"]
    assert not any("northwind" in edge.dst for edge in await graph.of("t", "ana"))
    later = await GraphQueries(graph).team("t", "acme", NOW.replace(year=NOW.year + 1))
    assert later.denied == {}, "that was long ago"


def test_a_wrong_file_is_named_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "invites.yaml"
    text = (HARBOR / "profile" / "invites.yaml").read_text("utf-8")
    path.write_text(text.replace("missing: true", "lacking: true", 1), "utf-8")
    with pytest.raises(DataFileError, match=r"invites\.yaml:\d+:\d+: suggestions\.0\.lacking"):
        load_invites(path)
