"""What every tool keeps to, whatever it comes from: four tools over projects in some target."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

import pytest
from jsonschema import Draft202012Validator

from tools.canonical import canonical
from tools.tool import DriftError, RejectedError, Tool, UncertainError
from tools.types import Attempt, Done, EffectClass, Manifest, Principal, ToolCall
from tools.validation import validate

WHO = Principal("t1", "u1", "org-1")


@dataclass
class Bench:
    """`tools` under the names list, create(name), rename(project, name), delete(project).

    `names` are what the target holds now, `effects` how many it had. `fault` arms the next write:
    refused (by the target, nothing happens) or lost (it happens, the answer does not come).
    """

    tools: Mapping[str, Tool]
    names: Callable[[], Mapping[str, str]]
    effects: Callable[[], int]
    fault: Callable[[str], None]
    again: Callable[[], Awaitable[Mapping[str, Tool]]]

    def manifest(self, name: str) -> Manifest:
        return self.tools[name].manifest

    def call(self, tool: str, /, **arguments: str) -> ToolCall:
        manifest = self.manifest(tool)
        return ToolCall(manifest.name, manifest.version, dict(arguments))

    async def run(self, tool: str, attempt: Attempt | None = None, /, **arguments: str) -> Done:
        call = self.call(tool, **arguments)
        return await self.tools[tool].run(call, WHO, attempt or trying())

    def by_name(self, name: str) -> Tool:
        return next(t for t in self.tools.values() if t.manifest.name == name)


def trying(action: str = "action-1", number: int = 1) -> Attempt:
    return Attempt(action, number, number)


class ToolContract:
    """Inherit it and give a fixture `bench`."""

    def test_manifests_are_whole(self, bench: Bench) -> None:
        for tool in bench.tools.values():
            manifest = tool.manifest
            Draft202012Validator.check_schema(dict(manifest.schema))
            properties = manifest.schema["properties"]
            assert isinstance(properties, dict)
            assert properties.keys() == manifest.arguments.keys()
            assert manifest.version
            assert manifest.title
            canonical({"schema": dict(manifest.schema)})  # no floats, so a manifest can be signed

    async def test_versions_are_those_of_the_next_start(self, bench: Bench) -> None:
        now = {name: tool.manifest.version for name, tool in bench.tools.items()}
        then = {name: tool.manifest.version for name, tool in (await bench.again()).items()}
        assert then == now

    async def test_reading_changes_nothing(self, bench: Bench) -> None:
        await bench.run("create", name="North")
        before = bench.effects()
        done = await bench.run("list")
        assert "North" in str(done.result)
        assert (bench.effects(), done.undo) == (before, None)

    async def test_results_have_a_canonical_form(self, bench: Bench) -> None:
        done = await bench.run("create", name="North")
        canonical(dict(done.result))
        canonical(dict((await bench.run("list")).result))

    async def test_what_is_made_can_be_unmade(self, bench: Bench) -> None:
        done = await bench.run("create", name="North")
        assert list(bench.names().values()) == ["North"]
        assert done.effect_ref in bench.names()
        assert done.undo is not None
        undo = bench.by_name(done.undo.tool)
        assert undo.manifest.version == done.undo.version
        validate(undo.manifest, done.undo.arguments)
        assert (await undo.look(done.undo, WHO)).etag == done.etag
        await undo.run(done.undo, WHO, replace(trying("action-2"), etag=done.etag))
        assert bench.names() == {}
        assert bench.effects() == 2

    async def test_what_is_changed_goes_back(self, bench: Bench) -> None:
        made = (await bench.run("create", name="North")).effect_ref
        call = bench.call("rename", project=made, name="South")
        target = await bench.tools["rename"].look(call, WHO)
        assert target.state["name"] == "North"
        attempt = replace(trying("action-2"), etag=target.etag)
        done = await bench.tools["rename"].run(call, WHO, attempt)
        assert bench.names() == {made: "South"}
        assert done.undo is not None
        back = bench.by_name(done.undo.tool)
        assert (await back.look(done.undo, WHO)).etag == done.etag
        await back.run(done.undo, WHO, replace(trying("action-3"), etag=done.etag))
        assert bench.names() == {made: "North"}

    async def test_etag_names_the_state(self, bench: Bench) -> None:
        made = (await bench.run("create", name="North")).effect_ref
        call = bench.call("rename", project=made, name="South")
        look = bench.tools["rename"].look
        first, second = await look(call, WHO), await look(call, WHO)
        assert first == second
        await bench.run("rename", trying("action-2"), project=made, name="West")
        assert (await look(call, WHO)).etag != first.etag

    async def test_a_changed_target_is_not_touched(self, bench: Bench) -> None:
        made = (await bench.run("create", name="North")).effect_ref
        call = bench.call("rename", project=made, name="South")
        target = await bench.tools["rename"].look(call, WHO)
        await bench.run("rename", trying("action-2"), project=made, name="West")
        before = bench.effects()
        with pytest.raises(DriftError):
            attempt = replace(trying("action-3"), etag=target.etag)
            await bench.tools["rename"].run(call, WHO, attempt)
        assert (bench.names(), bench.effects()) == ({made: "West"}, before)

    async def test_a_refusal_has_no_effect_and_says_why(self, bench: Bench) -> None:
        bench.fault("refused")
        with pytest.raises(RejectedError) as refusal:
            await bench.run("create", name="North")
        assert refusal.value.code == "quota"
        assert "plan" in refusal.value.detail
        assert (bench.names(), bench.effects()) == ({}, 0)

    async def test_a_lost_answer_is_read_back(self, bench: Bench) -> None:
        tool, call = bench.tools["create"], bench.call("create", name="North")
        assert await tool.read_back(call, WHO, trying()) is None
        bench.fault("lost")
        with pytest.raises(UncertainError):
            await tool.run(call, WHO, trying())
        done = await tool.read_back(call, WHO, trying())
        assert done is not None
        assert done.undo is not None
        assert (done.effect_ref in bench.names(), bench.effects()) == (True, 1)
        assert await tool.read_back(call, WHO, trying("action-2")) is None

    async def test_sending_again_has_one_effect(self, bench: Bench) -> None:
        """As the executor does it: K and N are sent again, R is read back first."""
        tool, call = bench.tools["create"], bench.call("create", name="North")
        bench.fault("lost")
        with pytest.raises(UncertainError):
            await tool.run(call, WHO, trying())
        attempt = replace(trying(number=2), resumed=True)
        done = None
        if tool.manifest.effect is EffectClass.READ_BACK:
            done = await tool.read_back(call, WHO, attempt)
        if done is None:
            await tool.run(call, WHO, attempt)
        assert list(bench.names().values()) == ["North"]

    async def test_a_lost_change_is_still_undone(self, bench: Bench) -> None:
        made = (await bench.run("create", name="North")).effect_ref
        tool, call = bench.tools["rename"], bench.call("rename", project=made, name="South")
        target = await tool.look(call, WHO)
        attempt = replace(trying("action-2"), etag=target.etag, before=target.state)
        bench.fault("lost")
        with pytest.raises(UncertainError):
            await tool.run(call, WHO, attempt)
        done = await tool.read_back(call, WHO, replace(attempt, resumed=True))
        assert done is not None
        assert done.undo is not None
        assert done.undo.arguments["name"] == "North"

    async def test_what_is_not_there_is_refused(self, bench: Bench) -> None:
        for tool in ("rename", "delete"):
            call = bench.call(tool, project="prj-0", **({"name": "x"} if tool == "rename" else {}))
            with pytest.raises(RejectedError) as refusal:
                await bench.tools[tool].look(call, WHO)
            assert refusal.value.code == "not_found"

    async def test_what_is_gone_already_is_a_success(self, bench: Bench) -> None:
        made = (await bench.run("create", name="North")).effect_ref
        first = await bench.run("delete", trying("action-2"), project=made)
        again = await bench.run("delete", trying("action-3"), project=made)
        assert (first.already, again.already) == (False, True)
        assert again.undo is None
        assert bench.effects() == 2
