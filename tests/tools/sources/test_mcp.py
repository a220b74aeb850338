"""MCP beyond the contract: only reviewed tools, only as reviewed; processes that die; HTTP."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contracts.tool import WHO, trying
from tests.tools.sources.test_contract import SERVER, load, mcp_parts, named, projects_policy
from tools.policy import PolicyError, load_policy
from tools.sources import Opened, SourceError, SourceParts, open_sources
from tools.tool import ForbiddenError, NotSentError, RejectedError, UncertainError
from tools.types import ToolCall


@pytest.fixture
def state(tmp_path: Path) -> Path:
    file = tmp_path / "state.json"
    file.write_text(json.dumps({"projects": {}, "effects": [], "fault": ""}))
    return file


def arm(state: Path, fault: str) -> None:
    state.write_text(json.dumps(load(state) | {"fault": fault}))


async def opened_from(policy: Path, parts: SourceParts | None = None) -> Opened:
    return await open_sources(load_policy(policy), parts or mcp_parts())


def call_of(opened: Opened, key: str, **arguments: str) -> ToolCall:
    manifest = opened.by_key[key].manifest
    return ToolCall(manifest.name, manifest.version, dict(arguments))


async def test_a_changed_tool_is_no_tool_until_it_is_reviewed(tmp_path: Path, state: Path) -> None:
    policy = projects_policy(tmp_path, state, "--changed")
    opened = await opened_from(policy)
    await opened.aclose()
    # what it undoes goes with it; the others stay
    assert {p.tool for p in opened.problems} == {"delete_project", "create_project"}
    (problem,) = (p for p in opened.problems if p.tool == "delete_project")
    assert "changed since it was reviewed" in problem.message
    pin = problem.message.rpartition("pin: ")[2].rstrip("`")
    policy.write_text(policy.read_text().replace("9EOd13JSRR0h", pin))
    reviewed = await opened_from(policy)
    await reviewed.aclose()
    assert reviewed.problems == ()


async def test_what_nobody_reviewed_does_not_exist(tmp_path: Path, state: Path) -> None:
    policy = projects_policy(tmp_path, state)
    policy.write_text(policy.read_text().replace("    pin: C6dZ-wueV2GI\n", ""))
    opened = await opened_from(policy)
    await opened.aclose()
    assert [(p.tool, "not reviewed" in p.message) for p in opened.problems] == [
        ("rename_project", True)
    ]
    assert "get_project" not in opened.by_key  # the server has it, the policy does not offer it


async def test_a_tool_that_changes_meanwhile_is_refused(tmp_path: Path, state: Path) -> None:
    """The process dies; what is started in its place is another version."""
    wrapper = tmp_path / "server.py"
    wrapper.write_text(SERVER.read_text())
    policy = projects_policy(tmp_path, state)
    policy.write_text(policy.read_text().replace(str(SERVER), str(wrapper)))
    opened = await opened_from(policy)
    made = (
        await opened.by_key["create_project"].run(
            call_of(opened, "create_project", name="North"), WHO, trying("a1")
        )
    ).effect_ref
    wrapper.write_text(wrapper.read_text().replace("Delete a project.", "Delete all projects."))
    arm(state, "lost")
    rename = call_of(opened, "rename_project", project=made, name="South")
    with pytest.raises(UncertainError, match="connection_closed"):
        await opened.by_key["rename_project"].run(rename, WHO, trying("a2"))
    delete = call_of(opened, "delete_project", project=made)
    with pytest.raises(RejectedError, match="tool_changed"):
        await opened.by_key["delete_project"].run(delete, WHO, trying("a3"))
    assert load(state)["projects"] == {made: "South"}
    await opened.aclose()


async def test_a_server_that_does_not_start_is_told(tmp_path: Path, state: Path) -> None:
    policy = projects_policy(tmp_path, state)
    policy.write_text(policy.read_text().replace(sys.executable, "/no/such/program"))
    with pytest.raises(SourceError, match=r"tools\.yaml:3: source projects"):
        await opened_from(policy)


@pytest.mark.parametrize("way", ["", "command: [x]\n    url: https://mcp.example.com/"])
def test_one_way_to_reach_it(tmp_path: Path, state: Path, way: str) -> None:
    policy = projects_policy(tmp_path, state)
    text = policy.read_text()
    line = next(line for line in text.splitlines() if "command:" in line)
    policy.write_text(text.replace(line.strip(), way))
    with pytest.raises(PolicyError, match="either `command`"):
        load_policy(policy)


@asynccontextmanager
async def serving(state: Path) -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SERVER), str(state), "--http", str(port),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(400):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            await writer.wait_closed()
            break
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


def over_http(tmp_path: Path, place: str, more: str = "") -> Path:
    policy = projects_policy(tmp_path, tmp_path)
    text = policy.read_text()
    line = next(line for line in text.splitlines() if "command:" in line)
    way = f'url: http://{place}/mcp\n    hosts: ["{place}"]{more}'
    policy.write_text(text.replace(line.strip(), way))
    return policy


async def test_streamable_http(tmp_path: Path, state: Path) -> None:
    async with serving(state) as place:
        allowed = replace(mcp_parts(), private=frozenset({place}))
        opened = await opened_from(over_http(tmp_path, place), allowed)
        tools = named(opened)
        done = await tools["create_project"].run(
            call_of(opened, "create_project", name="North"), WHO, trying("a1")
        )
        assert load(state)["projects"] == {"a1": "North"}
        assert done.undo is not None
        await tools["delete_project"].run(done.undo, WHO, trying("a2"))
        assert load(state)["projects"] == {}
        listed = tools["list_projects"]
    with pytest.raises(NotSentError):
        await listed.run(call_of(opened, "list_projects"), WHO, trying("a3"))
    await opened.aclose()


async def test_a_server_inside_needs_leave(tmp_path: Path, state: Path) -> None:
    async with serving(state) as place:
        with pytest.raises(SourceError, match="not among the hosts"):
            await opened_from(over_http(tmp_path, place))


async def test_the_users_own_credential_goes_along(tmp_path: Path, state: Path) -> None:
    async with serving(state) as place:
        allowed = replace(mcp_parts(), private=frozenset({place}))
        policy = over_http(tmp_path, place, "\n    credential: projects")
        opened = await opened_from(policy, allowed)
        with pytest.raises(ForbiddenError, match="not_signed_in"):
            call = call_of(opened, "list_projects")
            await opened.by_key["list_projects"].run(call, WHO, trying("a1"))
        await opened.aclose()
