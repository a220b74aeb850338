"""The tool-routing suite: cases from disk, what counts as right, and a whole run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue
from typer.testing import CliRunner

from agent.acting.typed import TypedPlanner
from embark.cli import app
from evals.suites.tools import Case, CasesError, Expected, World, load_cases
from evals.suites.tools_catalogue import dump_catalogue, load_catalogue
from evals.suites.tools_running import Bench, Outcome, run_case, same_arguments
from evals.suites.tools_scoring import distractors, judged, measured
from guardrails.patterns import PatternRedactor
from retrieval.memory import HashEncoder
from tests.agent.acting.tidemark import TOOLS
from tools.held_memory import MemoryHeldValues
from tools.vault_memory import MemoryVault

DEVELOPMENT = Path(__file__).parents[2] / "agent" / "acting" / "development"
CASES: list[dict[str, Any]] = [
    {"id": "1", "utterance": "add nia@firm.example as a guest", "tags": ["action"],
     "expect": {"tool": "addPerson",
                "arguments": {"email": "nia@firm.example", "role": "guest"}}},
    {"id": "2", "turns": ["add nia@firm.example", "contributor"], "tags": ["dialog"],
     "expect": {"tool": "addPerson",
                "arguments": {"email": "nia@firm.example", "role": "contributor"}}},
    {"id": "3", "utterance": "create a board", "expect": {"tool": "createBoard", "ask": "title"}},
    {"id": "4", "utterance": "how do I add a person?", "expect": {"none": True}, "tags": ["q"]},
    {"id": "5", "utterance": "archive the board Launch",
     "expect": {"tool": "archiveBoard", "arguments": {"boardId": "b1"}}},
]  # fmt: skip
WORLD = {"now": "2026-03-11T14:20:00+00:00", "choices": {"listBoards": [["b1", "Launch"]]}}


def written(folder: Path, cases: list[dict[str, Any]], world: object = WORLD) -> Path:
    lines = "\n".join(json.dumps(case) for case in cases)
    (folder / "utterances.jsonl").write_text(lines, "utf-8")
    (folder / "world.json").write_text(json.dumps(world), "utf-8")
    (folder / "tools.json").write_bytes(dump_catalogue(TOOLS))
    return folder


def bench() -> Bench:
    planner = TypedPlanner(HashEncoder(256))
    return Bench(planner, MemoryHeldValues(MemoryVault()), PatternRedactor())


def test_reads_cases_and_their_world(tmp_path: Path) -> None:
    cases = load_cases(written(tmp_path, CASES))
    assert [case.turns for case in cases][:2] == [
        ("add nia@firm.example as a guest",),
        ("add nia@firm.example", "contributor"),
    ]
    assert cases[2].expected == Expected("createBoard", None, "title")
    assert not cases[3].expected.acts
    assert cases[4].world.choices["listBoards"] == (("b1", "Launch"),)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"utterance": "x", "expect": {"none": True}}, "`id` is missing"),
        ({"id": "1", "expect": {"none": True}}, "`utterance` must be a text"),
        ({"id": "1", "utterance": "x", "expect": {}}, "needs `tool`, `ask`, or `none`"),
        ({"id": "1", "utterance": "x", "expect": 3}, "`expect` must be an object"),
        ({"id": "1", "utterance": "x", "expect": {"none": True}, "choices": {"a": [["b"]]}},
         "a pair of value and label"),
    ],
)  # fmt: skip
def test_says_which_line_is_wrong_and_why(tmp_path: Path, line: dict[str, Any], told: str) -> None:
    with pytest.raises(CasesError, match=r"utterances\.jsonl:1") as error:
        load_cases(written(tmp_path, [line]))
    assert told in str(error.value)


def test_an_id_occurs_once(tmp_path: Path) -> None:
    with pytest.raises(CasesError, match="occurs twice"):
        load_cases(written(tmp_path, [CASES[0], CASES[0]]))


@pytest.mark.parametrize("world", [{"now": "2026-03-11T14:20"}, {"timezone": "Mars/Base"}])
def test_a_world_needs_a_time_with_its_zone(tmp_path: Path, world: object) -> None:
    with pytest.raises(CasesError, match=r"world\.json"):
        load_cases(written(tmp_path, CASES, world))


def test_a_catalogue_survives_the_file(tmp_path: Path) -> None:
    file = tmp_path / "tools.json"
    file.write_bytes(dump_catalogue(TOOLS))
    assert load_catalogue(file) == TOOLS
    file.write_text('[{"name": 3}]', "utf-8")
    with pytest.raises(CasesError, match="no catalogue"):
        load_catalogue(file)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": "2026-03-13T00:00:00+01:00"}, {"a": "2026-03-12T23:00:00Z"}, True),
        ({"a": "Ana@x.io"}, {"a": "ana@x.io"}, True),
        ({"a": "Ana"}, {"a": "ana"}, False),
        ({"a": ["x", "y"]}, {"a": ["y", "x"]}, False),
    ],
)
def test_arguments_are_compared_exactly(
    one: Mapping[str, JsonValue], other: Mapping[str, JsonValue], same: bool
) -> None:
    assert same_arguments(one, other) is same


def case(expected: Expected) -> Case:
    return Case("1", ("x",), expected, World(datetime(2026, 1, 1, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("expected", "outcome", "tool", "whole"),
    [
        (Expected("a", {"x": 1}), ("a", {"x": 1}, None), True, True),
        (Expected("a", {"x": 1}), ("a", {"x": 1}, "y"), True, False),
        (Expected("a", {"x": 1}), ("a", {}, None), True, False),
        (Expected("a", {"x": 1}), (None, {}, None), False, False),
        (Expected("a", None, "y"), ("a", {}, "y"), True, True),
        (Expected("a", {"x": 1}, "y"), ("a", {}, "y"), True, False),
        (Expected("a", None, "y"), ("b", {}, "y"), False, False),
        (Expected(), (None, {}, None), True, True),
        (Expected(), ("a", {}, "y"), False, False),
    ],
)
def test_what_counts_as_right(
    expected: Expected,
    outcome: tuple[str | None, Mapping[str, JsonValue], str | None],
    tool: bool,
    whole: bool,
) -> None:
    verdict = judged(Outcome(case(expected), *outcome))
    assert (verdict.tool, verdict.whole) == (tool, whole)


async def test_a_dialog_is_run_to_its_end(tmp_path: Path) -> None:
    cases = load_cases(written(tmp_path, CASES))
    outcome = await run_case(cases[1], TOOLS, bench())
    assert (outcome.tool, dict(outcome.arguments)) == (
        "addPerson",
        {"email": "nia@firm.example", "role": "contributor"},
    )


async def test_only_tools_of_the_persons_rights_are_offered(tmp_path: Path) -> None:
    barred = [dict(CASES[4], expect={"none": True})]
    cases = load_cases(written(tmp_path, barred, {**WORLD, "rights": []}))
    locked = [*(t for t in TOOLS if t.name != "archiveBoard")]
    tools = [*locked, replace(next(t for t in TOOLS if t.name == "archiveBoard"),
                              rights=frozenset({"boards.write"}))]  # fmt: skip
    assert not (await run_case(cases[0], tools, bench())).acts


async def test_measures_a_whole_run(tmp_path: Path) -> None:
    cases = load_cases(written(tmp_path, CASES))
    document = await measured(cases, TOOLS, bench(), HashEncoder(256))
    assert document["distractors"] == len(distractors()) >= 30
    assert document["catalogue"]["tool_and_arguments"] == {"value": 1.0, "n": 3}
    assert document["catalogue"]["false_action"] == {"value": 0.0, "n": 1}
    assert document["catalogue"]["pass^1"] == document["catalogue"]["pass^4"]
    assert set(document["baselines"]["catalogue"]) == {"bm25", "encoder"}
    assert document["per_tool"]["addPerson"] == {"n": 2, "tool": 1.0, "whole": 1.0}
    assert set(document["per_tag"]) == {"action", "dialog", "q"}


def test_the_command_prints_figures_and_gates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(tmp_path, CASES)
    monkeypatch.setenv("EMBARK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("EMBARK_ENCODER__BACKEND", "hash")
    run = CliRunner().invoke(app, ["eval", "tools", "--data", str(folder), "--json"])
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["catalogue"]["pass^1"]["value"] == 1.0
    bar = tmp_path / "bar.toml"
    bar.write_text('["catalogue/tool"]\nat_least = 1.1\n', "utf-8")
    strict = ["eval", "tools", "--data", str(folder), "--thresholds", str(bar)]
    assert CliRunner().invoke(app, strict).exit_code == 5


async def test_development_cases_with_hashed_words() -> None:
    """A floor well below the figures: with the real encoder they are higher (docs/tools.md)."""
    cases = load_cases(DEVELOPMENT)
    tools = load_catalogue(DEVELOPMENT / "tools.json")
    at = bench()
    outcomes = [await run_case(each, tools, at) for each in cases]
    acting = [o for o in outcomes if o.case.expected.tool and not o.case.expected.ask]
    idle = [o for o in outcomes if not o.case.expected.acts]
    assert sum(judged(o).tool for o in acting) / len(acting) >= 0.6
    assert sum(o.acts for o in idle) / len(idle) <= 0.15
