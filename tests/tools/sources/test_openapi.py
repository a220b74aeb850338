"""OpenAPI operations over the wire: what each answer means, and what is refused at the door."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from tests.tools.fleet.server import POLICY, Dropped, Fleet, moved, problem
from tests.tools.fleet.serving import WHO, Depot, depot, parts, running, trying
from tools.http import Incoming
from tools.openapi import DocumentError, load_document
from tools.openapi.answers import retry_after
from tools.policy import load_policy
from tools.policy.mapping import at
from tools.registry import Registry
from tools.sources import SourceError, open_sources
from tools.tool import (
    BusyError,
    DriftError,
    ForbiddenError,
    NotSentError,
    PartialError,
    RejectedError,
    ToolError,
    UncertainError,
)
from tools.types import Done

Make = Callable[[], Response]


def answer(status: int, **headers: str) -> Make:
    return lambda: problem(status, "why", "because", **headers)


MEANINGS: list[tuple[Make, type[ToolError], str]] = [
    (answer(400), RejectedError, "why"),
    (answer(401), ForbiddenError, "not_signed_in"),
    (answer(403), ForbiddenError, "why"),
    (answer(404), RejectedError, "why"),
    (answer(408), NotSentError, "why"),
    (answer(409), RejectedError, "why"),
    (answer(412), DriftError, "why"),
    (answer(422), RejectedError, "why"),
    (answer(425), NotSentError, "why"),
    (answer(428), RejectedError, "why"),
    (answer(429), BusyError, "why"),
    (answer(500), UncertainError, "why"),
    (answer(502), UncertainError, "why"),
    (answer(503), UncertainError, "why"),
    (lambda: problem(503, "why", "because", **{"retry-after": "7"}), BusyError, "why"),
    (moved, UncertainError, "http_302"),
    (Dropped, UncertainError, "unreachable"),
    (lambda: PlainTextResponse("<html>", 400), RejectedError, "http_400"),
    (lambda: JSONResponse({"error": {"type": ["x"] * 99}}, 400), RejectedError, "http_400"),
    (lambda: JSONResponse({"error": {"type": "a b"}}, 400), RejectedError, "http_400"),
]


@pytest.mark.parametrize(("make", "kind", "code"), MEANINGS)
async def test_what_an_answer_to_a_write_means(
    make: Make, kind: type[ToolError], code: str
) -> None:
    async with depot() as place:
        place.fleet.fail("before", make)
        with pytest.raises(ToolError) as failure:
            await place.run("create_project", name="North")
        assert (failure.type is kind or issubclass(failure.type, kind), failure.value.code) == (
            True,
            code,
        )
        assert place.fleet.requests == ["POST /api/v2/organizations/org-1/projects"]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("-5", 0.0),
        ("1.5", 1.5),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("99999999", 86_400.0),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_in_both_forms(header: str, seconds: float | None) -> None:
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert retry_after(Incoming(429, {"retry-after": header}), now) == seconds


async def test_nobody_there_is_surely_no_effect() -> None:
    fleet = Fleet()
    async with running(fleet) as base:
        opened = await open_sources(load_policy(POLICY), parts(base))
    place = Depot(fleet, opened, Registry(opened.tools), base)
    with pytest.raises(NotSentError, match="unreachable"):
        await place.run("create_project", name="North")
    await opened.aclose()


async def test_a_wrong_key_is_not_signed_in() -> None:
    fleet = Fleet()
    async with running(fleet) as base:
        opened = await open_sources(load_policy(POLICY), parts(base, "wrong"))
        place = Depot(fleet, opened, Registry(opened.tools), base)
        with pytest.raises(ForbiddenError, match="not_signed_in"):
            await place.run("list_projects")
        await opened.aclose()


async def test_the_account_of_the_user_is_in_the_path() -> None:
    async with depot() as place:
        tool = place.tool("list_projects")
        with pytest.raises(ForbiddenError):
            await tool.run(place.call("list_projects"), WHO._replace(account="org-2"), trying())
        assert place.fleet.requests == ["GET /api/v2/organizations/org-2/projects"]


@pytest.mark.parametrize("name", ["..", ".", ""])
async def test_a_path_cannot_be_left(name: str) -> None:
    async with depot() as place:
        with pytest.raises(RejectedError, match="bad_argument"):
            await place.run("register_truck", vin=name, axles=3)
        assert place.fleet.requests == []


@pytest.mark.parametrize("name", ["../projects", "a/b", "a?x=1", "a#b", "%2e%2e", "a\r\nX: y", "ä"])
async def test_a_value_stays_one_segment(name: str) -> None:
    """Whatever it holds, the request goes to the operation that was approved or to none."""
    async with depot() as place:
        try:
            await place.run("register_truck", vin=name, axles=3)
        except RejectedError as refusal:
            assert refusal.code == "http_404"
        assert set(place.fleet.vehicles) <= {name}
        assert all("/vehicles/" in request for request in place.fleet.requests)


async def test_decimals_travel_as_text_and_arrive_as_numbers() -> None:
    async with depot() as place:
        done = await place.run("create_project", name="North", budget="12.50")
        (project,) = place.fleet.projects.values()
        assert project["attributes"]["budget"] == 12.5
        attributes = done.result["attributes"]
        assert isinstance(attributes, dict)
        assert attributes["budget"] == "12.5"


async def test_forms_and_files() -> None:
    async with depot() as place:
        await place.run("announce", subject="Hi & bye=1", audience=["drivers", "dispatchers"])
        await place.run("upload_manifest", file='a,"b"\r\n--x\n', note="é")
        assert place.fleet.announcements == [
            {"subject": "Hi & bye=1", "audience": ["drivers", "dispatchers"]}
        ]
        assert place.fleet.manifests == [{"name": "file", "content": 'a,"b"\r\n--x\n', "note": "é"}]


async def test_of_a_union_the_fixed_value_picks_the_form() -> None:
    async with depot() as place:
        schema = place.tool("register_truck").manifest.schema
        assert isinstance(schema["properties"], dict)
        assert schema["properties"]["axles"] == {"type": "integer", "minimum": 2, "maximum": 9}
        await place.run("register_truck", vin="W1", axles=3)
        assert place.fleet.vehicles == {"W1": {"kind": "truck", "axles": 3}}


async def test_deep_objects_in_the_query() -> None:
    async with depot() as place:
        await place.run("create_project", name="North")
        await place.run("create_project", attempt=trying("a2"), name="South")
        done = await place.run("list_projects", filter={"name": "South"})
        assert at(dict(done.result), "/data/*/attributes/name") == ["South"]


async def test_read_back_goes_over_pages() -> None:
    async with depot() as place:
        for number in range(7):
            await place.run("create_project", attempt=trying(f"a{number}"), name=f"P{number}")
        tool, call = place.tool("create_project"), place.call("create_project", name="P6")
        found = await tool.read_back(call, WHO, trying("a6"))
        assert found is not None
        assert found.effect_ref == "prj-7"
        assert await tool.read_back(call, WHO, trying("a9")) is None


async def test_each_of_a_list_and_how_far_it_came() -> None:
    async with depot() as place:
        for number in range(3):
            await place.run("create_project", attempt=trying(f"a{number}"), name=f"P{number}")
        place.fleet.fail("after", lambda: JSONResponse({}, 204))
        place.fleet.fail("before", answer(423))
        with pytest.raises(PartialError, match="1 of 3") as partial:
            await place.run("delete_projects", projects=["prj-1", "prj-2", "prj-3"])
        assert at(dict(partial.value.done.result), "/done/*/of") == ["prj-1"]
        assert set(place.fleet.projects) == {"prj-2", "prj-3"}
        again = await place.run("delete_projects", projects=["prj-1", "prj-2", "prj-3"])
        assert isinstance(again, Done)
        assert place.fleet.projects == {}


async def test_a_default_is_sent_and_told() -> None:
    async with depot() as place:
        call = place.call("create_project", name="North")
        target = await place.tool("create_project").look(call, WHO)
        assert target.notes == ("Status: planned (default)",)
        await place.tool("create_project").run(call, WHO, trying())
        (project,) = place.fleet.projects.values()
        assert project["attributes"]["status"] == "planned"


async def test_an_etag_of_ours_is_not_sent() -> None:
    async with depot() as place:
        made = (await place.run("create_project", name="North")).effect_ref
        call = place.call("rename_project", project=made, name="South")
        target = await place.tool("rename_project").look(call, WHO)
        assert target.etag is not None
        assert target.etag.startswith("state:")
        done = await place.tool("rename_project").run(
            call, WHO, replace(trying("a2"), etag=target.etag)
        )
        assert done.undo is not None


DOCUMENT = (POLICY.parent / "openapi.yaml").read_text()


def broken(tmp_path: Path, policy: tuple[str, str], document: tuple[str, str] = ("", "")) -> Path:
    (tmp_path / "openapi.yaml").write_text(DOCUMENT.replace(*document))
    text = POLICY.read_text()
    assert policy[0] in text
    (tmp_path / "tools.yaml").write_text(text.replace(*policy, 1))
    return tmp_path / "tools.yaml"


UNFIT = [
    (("operation: listProjects\n    title", "operation: listProject\n    title"), "no operation"),
    (("field: projectId\n    ", "field: projectID\n    "), "no field projectID"),
    (("fixed: {/kind: truck}", "fixed: {}"), "several forms"),
    (("fixed: {/kind: truck}", "fixed: {/kind: boat}"), "no form of the request"),
    (("      axles: {label: Axles, ask: How many axles?}\n", ""), "needs /axles"),
    (("status: {label: Status}", "status: {label: Status, values: [lost]}"), "cannot be lost"),
    (("    undo: {none: They have to be made again.}", "    pin: old"), "changed since it was"),
]


@pytest.mark.parametrize(("policy", "message"), UNFIT)
async def test_what_does_not_fit_the_document_is_no_tool(
    tmp_path: Path, policy: tuple[str, str], message: str
) -> None:
    file = broken(tmp_path, policy)
    opened = await open_sources(load_policy(file), parts("http://127.0.0.1:1"))
    assert any(message in problem.message for problem in opened.problems), opened.problems
    for problem_ in opened.problems:
        assert problem_.tool not in opened.by_key
        assert problem_.where.startswith(f"{file}:")
        assert int(problem_.where.rpartition(":")[2]) > 1
    await opened.aclose()


async def test_a_tool_whose_undo_is_missing_goes_too(tmp_path: Path) -> None:
    was = "    operation: deleteProject\n    title: Delete a"
    file = broken(tmp_path, (was, was.replace("deleteProject", "gone")))
    opened = await open_sources(load_policy(file), parts("http://127.0.0.1:1"))
    assert {p.tool for p in opened.problems} == {"delete_project", "create_project"}
    await opened.aclose()


async def test_versions_follow_the_meaning(tmp_path: Path) -> None:
    async def versions(policy: tuple[str, str], document: tuple[str, str] = ("", "")) -> str:
        file = broken(tmp_path, policy, document)
        opened = await open_sources(load_policy(file), parts("http://127.0.0.1:1"))
        await opened.aclose()
        return opened.by_key["announce"].manifest.version

    same = ("title: Send an announcement", "title: Send an announcement")
    first = await versions(same)
    assert await versions(("title: Send an announcement", "title: Tell everybody")) == first
    assert await versions(same, ("{description: Sent}", "{description: On its way}")) == first
    assert await versions(same, ("maxLength: 120", "maxLength: 121")) != first
    assert await versions(("effect: O", "effect: N")) != first


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is an object"),
        ("[]", "is an object"),
        ("{", "neither JSON nor YAML"),
        ("swagger: '2.0'", "no `openapi` field"),
        ("openapi: 4.0.0", "4.0.0"),
    ],
)
def test_no_document_of_ours(text: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        load_document(text)


async def test_a_missing_document_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "tools.yaml").write_text(POLICY.read_text())
    with pytest.raises(SourceError, match=r"tools.yaml:7: source fleet: openapi.yaml"):
        await open_sources(load_policy(tmp_path / "tools.yaml"), parts("http://127.0.0.1:1"))
