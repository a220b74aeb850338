"""`embark model train`: who stalls is learned from the log, passes the gate, and is served."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from embark.cli import Invocation
from embark.cli.model import model_app
from embark.cli.output import ExitCode, reporting
from embark.layers import load_settings
from embark.onboarding_database import mac_of, open_database
from embark.onboarding_parts import models_of, stores_of
from embark.records import open_books
from embark.settings import Settings
from guardrails.consent import Channel, Purpose, Statement
from onboarding.engine.files import load_files
from onboarding.events import Addition
from onboarding.features.store import Features
from onboarding.features.updating import FeatureUpdater
from onboarding.store.events.log import SqlEventLog
from onboarding.store.interventions.sql import SqlDeliveries
from onboarding.store.ranking.serving import ServedStalls
from onboarding.training import AHEAD, STEPS, RuleStalls, StallModel, open_stalls, periods_of
from onboarding.types import Event, Person
from tests.contracts.events import OPENED
from tests.onboarding.engine.floor import HARBOR

PEOPLE = 90
TENANT = "harbor"
DAY = timedelta(days=1)
USES = ("Import Finished", "Dashboard Created", "Member Invited")


@dataclass(frozen=True, slots=True)
class World:
    """A product that people have lived in; `later` is when the last of them can be judged."""

    config: Path
    settings: Settings

    def embark(self, *arguments: str, code: ExitCode = ExitCode.OK) -> dict[str, Any]:
        app = typer.Typer()
        app.add_typer(model_app, name="model")
        with reporting():
            given = Invocation(self.config, (), no_input=True)
            result = CliRunner().invoke(
                app, ["model", *arguments], obj=given, catch_exceptions=False
            )
        assert result.exit_code == code, result.output
        return dict(json.loads(result.stdout)) if "--json" in arguments else {}


def lives(rng: np.random.Generator, begins: datetime) -> Iterator[Event]:
    """Half of the people are busy from the start and return; of the rest most are gone in a day."""
    for number in range(PEOPLE):
        busy = number % 2 == 0
        at = begins + timedelta(days=float(rng.uniform(0, 20)))
        base = replace(
            OPENED,
            tenant=TENANT,
            user=f"u{number}",
            account=f"a{number}",
            fields={},
            name="Signed Up",
        )
        yield replace(base, message_id=f"{number}", occurred_at=at, received_at=at)
        for visit in range(12):
            if visit and rng.random() < (0.08 if busy else 0.75):
                break
            at += timedelta(days=float(rng.exponential(1.5))) if visit else timedelta(minutes=9)
            for act in range(3 if busy else 1):
                when = at + timedelta(minutes=act)
                id = f"{number}.{visit}.{act}"
                yield replace(
                    base, name=USES[act], message_id=id, occurred_at=when, received_at=when
                )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("trained")
    config = folder / "embark.toml"
    text = f'tenant = "{TENANT}"\ndata_dir = "{folder}/data"\n[onboarding]\nfolder = "{HARBOR}"\n'
    config.write_text(text, "utf-8")
    made = World(config, load_settings(config, {}).settings)
    asyncio.run(_live(made.settings))
    return made


async def _live(settings: Settings) -> None:
    begins = datetime.now(UTC) - 50 * DAY
    events = [*lives(np.random.default_rng(3), begins)]
    database = open_database(settings)
    log = SqlEventLog(database, mac_of(settings))
    for start in range(0, len(events), 500):
        await log.append(TENANT, [Addition(each) for each in events[start : start + 500]])
    files = load_files(HARBOR)
    stores = stores_of(database, log, SqlDeliveries(database))
    await FeatureUpdater(log, stores.features, files.features, TENANT).catch_up()
    database.dispose()
    with open_books(settings) as books:
        for number in range(PEOPLE - 10):  # the last ten do not agree
            who = f"u{number}"
            said = Statement(
                TENANT, who, Purpose.TRAINING, True, "v1", Channel.PREFERENCES, begins, who
            )
            await books.consents.record(said)


def test_it_is_learned_from_the_log_promoted_and_served(world: World) -> None:
    told = world.embark("train", "--slot", "stalls", "--name", "v1", "--rows", "900", "--json")
    assert told["refusal"] == "too_little_data"  # ninety people
    assert set(told["figures"]) == {"hazard model", "rule", "logistic", "base rate"}
    assert told["figures"]["hazard model"]["auc"] > 0.6
    promotion = ("promote", "v1", "--slot", "stalls", "--reason", "drill")
    world.embark(*promotion, code=ExitCode.GATE)
    world.embark(*promotion, "--force")
    asyncio.run(_served(world.settings))


async def _served(settings: Settings) -> None:
    """By a process that runs, within a second of the promotion and of its end."""
    database, files, second = open_database(settings), load_files(HARBOR), [0.0]
    stores = stores_of(database, SqlEventLog(database, mac_of(settings)), SqlDeliveries(database))
    served = ServedStalls(
        stores.champions, models_of(settings), files.features.spec, TENANT, lambda: second[0]
    )
    model = await served.model()
    assert isinstance(model, StallModel)
    features = Features(stores.log, stores.features, files.features)
    now, risks = datetime.now(UTC) - 15 * DAY, []
    for user, account in (("u0", "a0"), ("u1", "a1")):
        snapshot = await features.snapshot(Person(TENANT, user, account), now)
        risks.append(model.stalled({**snapshot.values, STEPS: 0.0}))
    assert all(0 <= risk <= 1 for risk in risks)
    await stores.champions.rollback(TENANT, "stalls", "ops", "drill", now)
    second[0] = 2.0
    assert isinstance(await served.model(), RuleStalls)
    database.dispose()


def test_only_who_agrees_is_learned_from_and_rows_lead_back_to_the_log(world: World) -> None:
    models, about = models_of(world.settings), []
    for name in ("a", "b"):
        world.embark("train", "--slot", "stalls", "--name", name, "--rows", "300", "--json")
        about.append(models.about("stalls", name))
    first, second = about
    assert first["data"] == second["data"]
    assert first["users"] <= PEOPLE - 10
    assert first["spec"] == load_files(HARBOR).features.spec
    trees = [models.load("stalls", name)["champion.txt"] for name in ("a", "b")]
    assert trees[0] == trees[1]


def test_a_model_of_other_features_is_not_served(world: World) -> None:
    world.embark("train", "--slot", "stalls", "--name", "c", "--rows", "300", "--json")
    models = models_of(world.settings)
    assert open_stalls(models.load("stalls", "c")).spec == load_files(HARBOR).features.spec
    world.embark("promote", "c", "--slot", "stalls", "--reason", "drill", "--force")

    async def served(spec: str) -> StallModel | RuleStalls:
        database = open_database(world.settings)
        log = SqlEventLog(database, mac_of(world.settings))
        stores = stores_of(database, log, SqlDeliveries(database))
        return await ServedStalls(stores.champions, models, spec, TENANT, lambda: 0.0).model()

    assert isinstance(asyncio.run(served(load_files(HARBOR).features.spec)), StallModel)
    assert isinstance(asyncio.run(served("other")), RuleStalls)


def test_periods_end_two_weeks_after_the_last_use() -> None:
    begin = datetime(2026, 3, 2, tzinfo=UTC)
    uses = [begin, begin + DAY / 2, begin + 30 * DAY]
    found = [*periods_of(uses, begin + 40 * DAY)]
    times = [(each.at - begin) / DAY for each in found]
    assert times[:23] == [pytest.approx(hour / 24) for hour in range(1, 24)]
    assert times[23:] == [*range(1, 15)]  # the use of day 30 cannot be judged on day 40
    assert [each.gone for each in found[:12]] == [False] * 11 + [True]  # from noon on
    back = [*periods_of([begin, begin + 3 * DAY], begin + 40 * DAY)]
    gone = {(each.at - begin) / DAY: each.gone for each in back}
    assert (gone[2], gone[4]) == (False, True)
    assert max(gone) < 3 + AHEAD / DAY
    assert [*periods_of([], begin)] == []


def test_the_rule_grows_with_silence_and_falls_with_steps() -> None:
    rule = RuleStalls()
    fresh = {"days_idle": 0.0, "days_since_first": 0.0, STEPS: 0.0}
    assert rule.stalled(fresh) == pytest.approx(0.25)
    silent = [rule.stalled({**fresh, "days_idle": d, "days_since_first": d}) for d in range(40)]
    assert silent == sorted(silent)
    assert silent[-1] == 0.95
    assert rule.stalled({**fresh, STEPS: 4.0}) < rule.stalled(fresh)
    newcomer = {"days_idle": 400.0, "days_since_first": 0.01, STEPS: 0.0}
    assert rule.stalled(newcomer) < 0.26  # never used anything, and came just now
    assert rule.stalled({}) == pytest.approx(0.25)
