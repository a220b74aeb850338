"""The tool contract over all three sources."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pytest
import pytest_asyncio
from pydantic import Field
from typing_extensions import TypedDict

from tests.contracts.tool import Bench, ToolContract
from tests.tools.fleet.server import API_KEY, POLICY, Dropped, problem
from tests.tools.fleet.serving import depot, parts
from tools.credentials import StaticCredentials
from tools.policy import load_policy
from tools.python_tools import Reversal, ToolFunction, python_tools, tool
from tools.sources import Opened, SourceParts, open_sources
from tools.tool import RejectedError, Tool
from tools.types import Argument, Attempt, Done, EffectClass, Principal, Target, Tier

HERE = Path(__file__).parent
SERVER = HERE / "projects_mcp.py"


def four(tools: Mapping[str, Tool], prefix: str = "") -> dict[str, Tool]:
    names = ("list_projects", "create_project", "rename_project", "delete_project")
    return {name.partition("_")[0]: tools[prefix + name] for name in names}


def named(opened: Opened) -> dict[str, Tool]:
    assert [str(problem) for problem in opened.problems] == []
    return {each.manifest.name: each for each in opened.tools}


class TestOpenApi(ToolContract):
    """Fleet over HTTP."""

    @pytest_asyncio.fixture
    async def bench(self) -> AsyncIterator[Bench]:
        async with depot() as place:
            fleet = place.fleet

            def arm(fault: str) -> None:
                if fault == "lost":
                    fleet.fail("after", Dropped)
                else:
                    refusal = problem(422, "quota", "not on this plan")
                    fleet.fail("before", lambda: refusal)

            async def again() -> Mapping[str, Tool]:
                opened = await open_sources(load_policy(POLICY), parts(place.base, API_KEY))
                await opened.aclose()
                return four(named(opened), "fleet_")

            yield Bench(
                four(named(place.opened), "fleet_"),
                lambda: {id: p["attributes"]["name"] for id, p in fleet.projects.items()},
                lambda: len(fleet.effects),
                arm,
                again,
            )


class TestMcp(ToolContract):
    """A server process over stdio."""

    @pytest_asyncio.fixture
    async def bench(self, tmp_path: Path) -> AsyncIterator[Bench]:
        state = tmp_path / "state.json"
        state.write_text(json.dumps({"projects": {}, "effects": [], "fault": ""}))
        policy = projects_policy(tmp_path, state)

        async def again() -> Mapping[str, Tool]:
            opened = await open_sources(load_policy(policy), mcp_parts())
            await opened.aclose()
            return four(named(opened))

        def arm(fault: str) -> None:
            state.write_text(json.dumps(load(state) | {"fault": fault}))

        opened = await open_sources(load_policy(policy), mcp_parts())
        yield Bench(
            four(named(opened)),
            lambda: load(state)["projects"],
            lambda: len(load(state)["effects"]),
            arm,
            again,
        )
        await opened.aclose()


def load(state: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(state.read_text())
    return loaded


def mcp_parts() -> SourceParts:
    return SourceParts(StaticCredentials({}), lambda: datetime(2026, 11, 21, tzinfo=UTC))


def projects_policy(folder: Path, state: Path, *flags: str) -> Path:
    text = (HERE / "projects_mcp.yaml").read_text()
    command = json.dumps([sys.executable, str(SERVER), str(state), *flags])
    policy = folder / "tools.yaml"
    policy.write_text(text.replace("[PYTHON, SERVER, STATE]", command))
    return policy


class Project(TypedDict):
    id: str
    name: str


@dataclass
class Shelf:
    """The target of the Python tools."""

    projects: dict[str, str] = field(default_factory=dict)
    effects: list[str] = field(default_factory=list)
    fault: str = ""

    def done(self, effect: str) -> None:
        fault, self.fault = self.fault, ""
        self.effects.append(effect)
        if fault == "lost":
            raise ConnectionResetError

    def check(self) -> None:
        if self.fault == "refused":
            self.fault = ""
            raise RejectedError("quota", "no more projects on this plan")

    def there(self, project: str) -> None:
        if project not in self.projects:
            raise RejectedError("not_found", "there is no such project")


Name = Annotated[str, Field(min_length=1, max_length=80)]


def functions(shelf: Shelf) -> list[ToolFunction]:
    def look(project: str) -> Target:
        shelf.there(project)
        return Target({"name": shelf.projects[project]}, label=shelf.projects[project])

    @tool(title="List projects", tier=Tier.R0, target="shelf")
    def list_projects() -> list[Project]:
        return [{"id": id, "name": name} for id, name in shelf.projects.items()]

    @tool(
        title="Delete a project",
        tier=Tier.R3,
        target="shelf",
        arguments={"project": Argument("Project")},
        look=look,
    )
    def delete_project(project: str) -> Done:
        if project not in shelf.projects:
            return Done({}, already=True)
        del shelf.projects[project]
        shelf.done("delete")
        return Done({})

    return [list_projects, *changing(shelf, look), delete_project]


def changing(shelf: Shelf, look: Callable[[str], Target]) -> list[ToolFunction]:
    def made(attempt: Attempt) -> Project | None:
        name = shelf.projects.get(attempt.action_id)
        return None if name is None else {"id": attempt.action_id, "name": name}

    @tool(
        title="Create a project",
        tier=Tier.R2,
        effect=EffectClass.KEYED,
        target="shelf",
        arguments={"name": Argument("Name")},
        read_back=made,
        undo=Reversal(
            "delete_project", "It can be deleted.", lambda _a, r, _b: {"project": r["id"]}
        ),
    )
    async def create_project(name: Name, attempt: Attempt, who: Principal) -> Done:
        """Makes a project.

        Its id is the action's, so that making it again changes nothing.
        """
        assert who.account == "org-1"
        shelf.check()
        shelf.projects[attempt.action_id] = name
        shelf.done("create")
        return Done({"id": attempt.action_id, "name": name}, effect_ref=attempt.action_id)

    def renamed(project: str, name: str) -> Project | None:
        same = shelf.projects.get(project) == name
        return {"id": project, "name": name} if same else None

    @tool(
        title="Rename a project",
        tier=Tier.R2,
        target="shelf",
        arguments={"project": Argument("Project"), "name": Argument("Name")},
        look=look,
        read_back=renamed,
        undo=Reversal(
            "rename_project",
            "The old name can be put back.",
            lambda a, _r, b: None if b is None else {"project": a["project"], "name": b["name"]},
        ),
    )
    def rename_project(project: str, name: Name) -> Project:
        shelf.there(project)
        shelf.check()
        shelf.projects[project] = name
        shelf.done("rename")
        return {"id": project, "name": name}

    return [create_project, rename_project]


class TestPython(ToolContract):
    @pytest.fixture
    def bench(self) -> Bench:
        shelf = Shelf()

        def build() -> dict[str, Tool]:
            return four({t.manifest.name: t for t in python_tools(functions(shelf))})

        async def again() -> Mapping[str, Tool]:
            return build()

        def arm(fault: str) -> None:
            shelf.fault = fault

        return Bench(build(), lambda: shelf.projects, lambda: len(shelf.effects), arm, again)
