"""The suites of `embark eval onboarding` and the worlds behind it: apart from the product, and
able to tell good from bad."""

from __future__ import annotations

import ast
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from embark.cli.evaluate_onboarding import onboarding
from embark.cli.output import reporting
from evals.onboarding.figures import average_precision, binary
from evals.onboarding.run import MissingDataError, UnknownSuiteError, run
from evals.onboarding.simulated import lived, outcomes_of
from evals.onboarding.simulator import Sizes, trial
from evals.onboarding.stalls import precision_at
from evals.simulator import WORLDS, People, References, Visit
from evals.simulator import run as live
from onboarding.ranking import RuleRanker, Rung

ROOT = Path(__file__).parents[2]
PRODUCT = ("agent", "api", "embark", "guardrails", "ingest", "onboarding", "retrieval", "tools")
NULLS = int(os.environ.get("EMBARK_TEST_NULL_WORLDS", "1"))


def _imports(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_no_product_code_names_the_simulator() -> None:
    """The command alone reaches it, over `evals.onboarding`."""
    naming = [
        str(file.relative_to(ROOT))
        for package in PRODUCT
        for file in sorted((ROOT / package).rglob("*.py"))
        if "simulator" in file.read_text(encoding="utf-8")
        and any("evals.simulator" in name for name in _imports(file))
    ]
    assert naming == []
    assert any("evals.simulator" in name for name in _imports(Path(__file__)))  # the scan sees


def test_the_simulator_knows_nothing_of_the_product() -> None:
    for file in sorted((ROOT / "evals" / "simulator").glob("*.py")):
        roots = {name.split(".")[0] for name in _imports(file)}
        assert not roots & set(PRODUCT), file.name
        assert roots <= {"__future__", "collections", "dataclasses", "evals", "functools", "numpy",
                         "typing"}, file.name  # fmt: skip


def test_nothing_that_nobody_sees_crosses() -> None:
    seen: list[Visit] = []

    def shows(visit: Visit, person: int) -> tuple[str, ...]:
        seen.append(visit)
        return ()

    people = People.drawn(WORLDS["normal-1"], 50, 3)
    live(people, shows)
    names = {name for visit in seen for name in visit.values}
    assert names == {*(f"events_{n}" for n in range(14)), "role", "intent", "source",
                     "sessions_7d", "steps_done", "interest_tried"}  # fmt: skip
    told = set(Visit.__dataclass_fields__)
    assert told == {"number", "user", "account", "day", "values", "offers"}


def test_two_policies_meet_the_same_luck() -> None:
    people = People.drawn(WORLDS["null"], 300, 5)
    first, _ = lived(people, RuleRanker())
    again, _ = lived(people, RuleRanker())
    assert first.happenings == again.happenings
    references = References(people)
    assert len({round(value, 12) for value in references.values.values()}) == 1  # nothing helps


@pytest.mark.parametrize("world", ["normal-1", "normal-2", "normal-3", "weak"])
def test_knowing_more_is_worth_more(world: str) -> None:
    values = References(People.drawn(WORLDS[world], 500, 9)).values
    assert values["uniform"] < values["static"] < values["observable oracle"]
    assert values["observable oracle"] < values["latent oracle"]
    assert values["static"] < values["role rules"] < values["observable oracle"]


def test_in_a_world_of_harm_the_tempting_step_costs_retention() -> None:
    people = People.drawn(WORLDS["harm"], 600, 4)
    tempted = live(people, lambda visit, _: ("action_00",) if visit.offers else ())
    left_alone = live(people, lambda visit, _: ())
    assert tempted.retained.mean() < left_alone.retained.mean() - 0.05


def test_outcomes_are_what_happened() -> None:
    people = People.drawn(WORLDS["normal-1"], 80, 2)
    result, _ = lived(people, RuleRanker())
    outcomes = outcomes_of(result.happenings)
    reached = {each.person.user for each in outcomes if each.kind.value == "activated"}
    assert 0 < len(reached) < 80
    assert len(outcomes) == len(result.happenings)


@pytest.mark.parametrize("number", range(NULLS))
def test_where_nothing_helps_nothing_is_promoted(number: int) -> None:
    """More runs by EMBARK_TEST_NULL_WORLDS; small ones are refused for want of data alone, so the
    size is that of a tenant with enough."""
    world = replace(WORLDS["null"], seed=700 + number)
    done = trial(world, 2100, Rung.ACTIVATE, 60 + number, lives=40)
    assert done.learned.verdict.refusal is not None
    assert done.learned.compared.low <= 0


def test_a_suite_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownSuiteError, match="no suite nonsense; there are intents, stalls"):
        run(None, ("nonsense",), Sizes())
    with pytest.raises(MissingDataError, match="--data DIR"):
        run(None, ("intents",), Sizes())


def test_a_folder_without_the_sets_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"bandit: .*random_men\.csv is not there"):
        run(tmp_path, ("bandit",), Sizes())


def _app() -> typer.Typer:
    app = typer.Typer()

    @app.callback()
    def _root() -> None:
        """Of these tests."""

    app.command()(onboarding)
    return app


def test_the_command_prints_one_object(tmp_path: Path) -> None:
    folder = tmp_path / "bandit_obd"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for name in ("random_men", "bts_men"):
        lines = ["item_id,position,click,propensity_score"]
        lines += [
            f"{rng.integers(34)},{1 + rng.integers(3)},{int(rng.random() < 0.05)},{1 / 34}"
            for _ in range(900)
        ]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    arguments = ["onboarding", "--data", str(tmp_path), "--suite", "bandit"]
    told = CliRunner().invoke(_app(), [*arguments, "--json"])
    assert told.exit_code == 0, told.output
    parts = json.loads(told.stdout)["suites"]["bandit"]["parts"]
    assert [part["name"] for part in parts][-1] == "a log of which two rows count"
    assert parts[-1]["facts"] == {"refusal": "no_overlap"}
    assert parts[0]["facts"]["ess"] == pytest.approx(900)  # the same policy on both sides
    shown = CliRunner().invoke(_app(), arguments)
    assert "* SNIPS" in shown.stdout


def test_a_mistyped_suite_ends_with_the_code_of_a_configuration() -> None:
    app = _app()
    with pytest.raises(typer.Exit) as ended, reporting():
        CliRunner().invoke(app, ["onboarding", "--suite", "bandits"], catch_exceptions=False)
    assert ended.value.exit_code == 3


def test_figures_by_hand() -> None:
    labels = np.array([1.0, 0.0, 1.0, 0.0])
    scores = np.array([0.9, 0.8, 0.7, 0.1])
    assert average_precision(scores, labels) == pytest.approx((1 + 2 / 3) / 2)
    assert precision_at(scores, labels, 1.0) == pytest.approx(2 / 3)
    assert binary("x", scores, labels).figures["AUC"] == pytest.approx(0.75)
