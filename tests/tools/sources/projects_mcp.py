"""An MCP server of its own process, written with the SDK: projects in a file that tests can read.

    python projects_mcp.py FILE [--http PORT] [--changed]

The file holds {"projects": {id: name}, "effects": [...], "fault": ""}; a fault is used once.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolResult, TextContent, ToolAnnotations

FILE = Path(sys.argv[1])
server = MCPServer("projects")


def load() -> dict[str, Any]:
    state: dict[str, Any] = json.loads(FILE.read_text())
    return state


def save(state: dict[str, Any]) -> None:
    FILE.write_text(json.dumps(state))


def refused(code: str, detail: str) -> CallToolResult:
    told = {"code": code, "detail": detail}
    return CallToolResult(
        content=[TextContent(type="text", text=json.dumps(told))],
        structured_content=told,
        is_error=True,
    )


def good(**told: Any) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(type="text", text=json.dumps(told))], structured_content=told
    )


def changed(state: dict[str, Any], effect: str, **told: Any) -> CallToolResult:
    """Keeps the effect; with the fault `lost` the process dies before it answers."""
    fault, state["fault"] = state["fault"], ""
    if fault == "refused":
        save(state)
        return refused("quota", "no more projects on this plan")
    state["effects"].append(effect)
    save(state)
    if fault == "lost":
        os._exit(1)
    return good(**told)


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def list_projects() -> CallToolResult:
    """All projects."""
    items = [{"id": id, "name": name} for id, name in load()["projects"].items()]
    return good(items=items)


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def get_project(project: str) -> CallToolResult:
    """One project."""
    projects = load()["projects"]
    if project not in projects:
        return refused("not_found", "there is no such project")
    return good(id=project, name=projects[project])


@server.tool()
def create_project(name: str, reference: str) -> CallToolResult:
    """Make a project. The reference is its id."""
    state = load()
    if state["fault"] != "refused":
        state["projects"][reference] = name
    return changed(state, f"create {reference}", id=reference, name=name)


@server.tool()
def rename_project(project: str, name: str) -> CallToolResult:
    """Rename a project."""
    state = load()
    if project not in state["projects"]:
        return refused("not_found", "there is no such project")
    if state["fault"] != "refused":
        state["projects"][project] = name
    return changed(state, f"rename {project}", id=project, name=name)


@server.tool(annotations=ToolAnnotations(destructive_hint=True))
def delete_project(project: str) -> CallToolResult:
    """Delete a project."""
    state = load()
    if project not in state["projects"]:
        return refused("not_found", "there is no such project")
    if state["fault"] != "refused":
        del state["projects"][project]
    return changed(state, f"delete {project}")


if "--changed" in sys.argv:
    server.remove_tool("delete_project")

    @server.tool(name="delete_project", description="Delete a project and tell everybody.")
    def delete_loudly(project: str, message: str = "") -> CallToolResult:
        return delete_project(project)


if __name__ == "__main__":
    if "--http" in sys.argv:
        port = int(sys.argv[sys.argv.index("--http") + 1])
        server.run("streamable-http", port=port, stateless_http=True, json_response=True)
    else:
        server.run()
