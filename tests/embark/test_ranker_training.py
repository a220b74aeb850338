"""`embark model train`: what helps whom is learned from the tenant's own decisions, of those who
agree to it, and is kept with what its gate says."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from embark.cli.output import ExitCode
from embark.layers import load_settings
from embark.onboarding_database import open_database
from embark.onboarding_parts import models_of
from embark.records import open_books
from embark.settings import Settings
from evals.onboarding.simulated import AFTER, lived, outcomes_of
from evals.simulator import WORLDS, People
from guardrails.consent import Channel, Purpose, Statement
from onboarding.ranking import RuleRanker, opened
from onboarding.store.ranking.sql import SqlNextSteps
from onboarding.types import Person
from tests.embark.test_model_training import TENANT, World
from tests.onboarding.engine.floor import HARBOR

PEOPLE = 60
AGREE = 40


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Decisions and outcomes of two months, all long ago."""
    folder: Path = tmp_path_factory.mktemp("ranker")
    config = folder / "embark.toml"
    text = f'tenant = "{TENANT}"\ndata_dir = "{folder}"\n[onboarding]\nfolder = "{HARBOR}"\n'
    config.write_text(text, "utf-8")
    made = World(config, load_settings(config, {}).settings)
    asyncio.run(_lived(made.settings))
    return made


async def _lived(settings: Settings) -> None:
    result, host = lived(People.drawn(WORLDS["normal-1"], PEOPLE, 5), RuleRanker())
    assert datetime.now(UTC) > AFTER
    database = open_database(settings)
    steps = SqlNextSteps(database)
    for each in host.decisions:
        await steps.add(replace(each, person=_of(each.person)))
    for outcome in outcomes_of(result.happenings):
        await steps.note(replace(outcome, decision="d", person=_of(outcome.person)))
    database.dispose()
    with open_books(settings) as books:
        for user in sorted({each.person.user for each in host.decisions})[:AGREE]:
            said = Statement(
                TENANT, user, Purpose.TRAINING, True, "v1", Channel.PREFERENCES, AFTER, user
            )
            await books.consents.record(said)


def _of(person: Person) -> Person:
    return replace(person, tenant=TENANT)


def test_it_is_learned_kept_and_refused_for_so_few(world: World) -> None:
    told = world.embark("train", "--name", "v1", "--json")
    assert (told["slot"], told["version"], told["refusal"]) == ("ranker", "v1", "too_little_data")
    assert told["figures"]["rows"] > AGREE
    assert "not measured" not in told["card"], "the time of a decision is taken"
    models = models_of(world.settings)
    about = models.about("ranker", "v1")
    assert about["users"] <= AGREE
    assert about["rung"] == "complete"
    assert opened(models.load("ranker", "v1")).name == "v1"
    world.embark("promote", "v1", "--reason", "drill", code=ExitCode.GATE)


def test_no_name_of_anybody_is_in_it(world: World) -> None:
    world.embark("train", "--name", "v2", "--json")
    files = models_of(world.settings).load("ranker", "v2")
    names = [f'"u{number}"'.encode() for number in range(PEOPLE)]
    assert not [name for name in names for text in files.values() if name in text]


def test_where_nobody_agrees_there_is_nothing_to_learn_from(
    tmp_path: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "embark.toml"
    text = world.config.read_text("utf-8").replace(str(world.config.parent), str(tmp_path))
    config.write_text(text, "utf-8")
    empty = World(config, load_settings(config, {}).settings)
    with pytest.raises(typer.Exit):
        empty.embark("train", "--json")
    assert "nothing to learn from" in capsys.readouterr().err


def test_a_slot_that_is_none_is_said(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        world.embark("train", "--slot", "cards", "--json")
    assert "ranker or stalls" in capsys.readouterr().err
