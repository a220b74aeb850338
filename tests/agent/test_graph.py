from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import ormsgpack
import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde import _msgpack
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from agent import Copilot
from agent.answerers.scripted import ScriptedAnswerer
from agent.checkpoints import (
    UnsafeCheckpointsError,
    checkpoint_serializer,
    memory_saver,
    sqlite_saver,
)
from agent.graph import build_graph
from agent.types import Draft
from guardrails import literal
from tests.agent.asking import QUESTION, drained, request
from tests.agent.shelf import CHUNKS, SCOPE, deps

FIFTY = Draft(literal("Admins can invite up to 50 people at once."), (1,))


def test_the_graph_is_the_documented_picture() -> None:
    drawn = build_graph(deps(), None).get_graph()
    assert {(edge.source, edge.target) for edge in drawn.edges} == {
        ("__start__", "route"),
        ("route", "retrieve"),
        ("route", "reply"),
        ("route", "recommend"),
        ("route", "plan"),
        ("route", "manage"),
        ("route", "decide"),
        ("route", "report"),
        ("route", "remind"),
        ("remind", "finish"),
        ("retrieve", "assess"),
        ("retrieve", "refuse"),
        ("assess", "answer"),
        ("assess", "refuse"),
        ("answer", "offer"),
        ("answer", "refuse"),
        ("offer", "finish"),
        ("plan", "propose"),
        ("plan", "retrieve"),
        ("plan", "reply"),
        ("plan", "recommend"),
        ("plan", "finish"),
        ("propose", "present"),
        ("propose", "execute"),
        ("propose", "report"),
        ("propose", "finish"),
        ("manage", "present"),
        ("manage", "execute"),
        ("manage", "report"),
        ("manage", "finish"),
        ("present", "decide"),
        ("present", "__end__"),
        ("decide", "present"),
        ("decide", "execute"),
        ("decide", "report"),
        ("execute", "report"),
        ("report", "finish"),
        ("reply", "finish"),
        ("refuse", "finish"),
        ("recommend", "finish"),
        ("finish", "__end__"),
    }


def bytes_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_checkpoints_hold_no_document_text_and_no_authority(tmp_path: Path) -> None:
    file = tmp_path / "checkpoints.db"
    async with sqlite_saver(file) as saver:
        copilot = Copilot(deps(ScriptedAnswerer((FIFTY,))), saver)
        await drained(copilot.ask(request()))
        await drained(copilot.ask(request("and for groups?", "m2")))
        written = bytes_below(tmp_path)
        thread = json.dumps(["acme", "t1"])
        state = await saver.aget({"configurable": {"thread_id": thread}})
    assert state is not None
    assert state["channel_values"]["message_id"] == "m2"
    assert QUESTION.encode() in written
    for chunk in CHUNKS:
        for line in filter(None, chunk.text.splitlines()):
            assert line.encode() not in written
    assert b"Admins can invite" not in written
    assert b"holds" not in written


async def test_the_serialiser_of_a_saver_is_replaced() -> None:
    saver = InMemorySaver(serde=JsonPlusSerializer(pickle_fallback=True))
    Copilot(deps(), saver)
    serde = saver.serde
    assert isinstance(serde, JsonPlusSerializer)
    assert serde.pickle_fallback is False
    with pytest.raises(TypeError):
        serde.dumps_typed(object())


@pytest.mark.parametrize("code", [0, 1, 2, 4, 5])
def test_a_forged_checkpoint_runs_nothing(code: int, tmp_path: Path) -> None:
    """The five extension codes that revive an object from a module, a name and arguments."""
    trace = tmp_path / "trace"
    forged = {
        0: ("os", "system", f"touch {trace}"),
        1: ("os", "system", [f"touch {trace}"]),
        2: ("os", "system", {"command": f"touch {trace}"}),
        4: ("os", "system", {"command": f"touch {trace}"}, "system"),
        5: ("os", "system", {"command": f"touch {trace}"}, "system"),
    }[code]
    blob = ("msgpack", ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb(forged))))
    checkpoint_serializer().loads_typed(blob)
    assert not trace.exists()
    JsonPlusSerializer(allowed_msgpack_modules=True).loads_typed(blob)  # the forgery is a real one
    assert trace.exists()


def test_a_process_without_strict_mode_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_msgpack, "STRICT_MSGPACK_ENABLED", False)
    with pytest.raises(UnsafeCheckpointsError, match="import `agent` first"):
        Copilot(deps())


def test_importing_the_package_sets_strict_mode_before_langgraph() -> None:
    check = (
        "import agent; from langgraph.checkpoint.serde import _msgpack; "
        "raise SystemExit(0 if _msgpack.STRICT_MSGPACK_ENABLED else 1)"
    )
    environment = {"PATH": "", "LANGGRAPH_STRICT_MSGPACK": "false"}
    done = subprocess.run([sys.executable, "-c", check], env=environment, check=False)
    assert done.returncode == 0


async def test_a_second_turn_does_not_inherit_the_first_ones_refusal() -> None:
    copilot = Copilot(deps(ScriptedAnswerer((FIFTY,))), memory_saver())
    await drained(copilot.ask(request("Xylophone zebras?")))
    events = await drained(copilot.ask(request(QUESTION, "m2")))
    assert "50 people" in str(events[-2].event)
    assert not (await copilot.answer(QUESTION, SCOPE)).refused
