"""`embark eval policies` over a log of events, remembered evaluations and a folder of versions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from embark.cli import Invocation
from embark.cli.evaluate_policies import PolicyParts, command_over, gate_of
from embark.settings import Settings
from guardrails.consent import Purpose, Tagged
from onboarding.events import Addition
from onboarding.events.memory import MemoryEventLog
from onboarding.profile import declared
from onboarding.profile.readiness import Past, load_readiness
from onboarding.ranking.version import sealed
from onboarding.store.profile.memory import MemoryProfiles
from onboarding.store.profile.readiness import MemoryReadiness
from onboarding.store.ranking.memory import MemoryChampions
from onboarding.store.ranking.registry import ModelFolder
from onboarding.types import Event, EventKind, Person

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CARD = """# v1

Ranks.

## Gate

Refused: no_support

| check | passed | |
|---|---|---|
| too_little_data | yes | 600 users, 210 labels; 500, 200 needed |
| no_support | no | 3.00% of the picks could not have been logged |

## Calibration

Brier 0.2
"""


def event(user: str, name: str, at: datetime, number: int, **fields: str) -> Event:
    tagged = {k: Tagged(v, frozenset({Purpose.PRODUCT_ANALYTICS})) for k, v in fields.items()}
    ids = (f"{user}-{number}", EventKind.TRACK, name, "1-0-0", user, None, None, at, at)
    return Event("docs", *ids, tagged)


def life(number: int) -> Sequence[Event]:
    """Every second comes back for good; `admin`s reach the goal, the others do not."""
    user, began = f"u{number}", NOW - (75 + number % 21) * DAY
    days = [0, 1, *(range(30, 75, 3) if number % 2 else ())]
    done = [event(user, "signup_completed", began, 0)]
    done += [event(user, "viewed", began + day * DAY, 1 + day) for day in days]
    if number % 4 < 2:
        done.append(event(user, "goal_reached", began + DAY, 200))
    return done


@dataclass
class Shop:
    parts: PolicyParts
    champions: MemoryChampions
    models: ModelFolder

    def run(self, *args: str) -> Result:
        @asynccontextmanager
        async def opened(_settings: Settings) -> AsyncIterator[PolicyParts]:
            yield self.parts

        app = typer.Typer()

        @app.callback()
        def main(ctx: typer.Context) -> None:
            ctx.obj = Invocation(None, (), no_input=True)

        app.command("policies")(command_over(opened))
        return CliRunner().invoke(app, ["policies", *args], catch_exceptions=False)


def past(shop: Shop) -> Sequence[Past]:
    return asyncio.run(shop.parts.readiness.past("docs"))


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.chdir(tmp_path)
    log, profiles = MemoryEventLog(lambda tenant, user: f"{tenant}-{user}"), MemoryProfiles()
    additions = [Addition(each) for number in range(240) for each in life(number)]
    asyncio.run(log.append("docs", additions))
    for number in range(240):
        role = "admin" if number % 4 < 2 else "end_user"
        said = declared(Person("docs", f"u{number}"), "role", role, NOW - 80 * DAY)
        asyncio.run(profiles.add("docs", [said]))
    champions, models = MemoryChampions(), ModelFolder(tmp_path / "models")
    for name, rung in (("v1", "complete"), ("v2", "complete")):
        about = {"name": name, "rung": rung, "spec": "s"}
        models.save("next_step", sealed({"card.md": CARD.encode()}, about))
    parts = PolicyParts(
        tenant="docs",
        now=NOW,
        log=log,
        profiles=profiles,
        readiness=MemoryReadiness(),
        file=load_readiness(),
        core=frozenset({"viewed"}),
        champions=champions,
        models=models,
    )
    return Shop(parts, champions, models)


def test_readiness_and_the_gate_of_every_candidate(shop: Shop) -> None:
    shown = shop.run()
    assert shown.exit_code == 0, shown.output
    assert "readiness 2026-06-01: 2 of 5 signals, too early to pay off" in shown.output
    assert "generic_fails       holds (tests 1" in shown.output
    assert "product_market_fit  holds (d30_low 0.4" in shown.output
    assert "next_step v1 (complete): candidate" in shown.output
    assert "no_support | no | 3.00% of the picks could not have been logged" in shown.output
    assert "Brier" not in shown.output
    assert "Brier 0.2" in shop.run("--cards").output


def test_as_json(shop: Shop) -> None:
    document = json.loads(shop.run("--json").stdout)
    readiness = document["readiness"]
    assert (readiness["stage"], readiness["rung"]) == ("segment", "curated")
    assert readiness["mature_users"] == 240
    signals = {each["name"]: each for each in readiness["signals"]}
    assert signals["active_users"]["figures"]["active"] < 200
    assert [each["version"] for each in document["candidates"]] == ["v1", "v2"]
    assert document["candidates"][0]["gate"][0] == "Refused: no_support"


def test_what_was_promoted_passed_the_gate(shop: Shop) -> None:
    asyncio.run(shop.champions.promote("docs", "next_step", "v1", "ops", "passed", NOW))
    found = json.loads(shop.run("--json").stdout)
    assert [(e["serves"], e["promoted"]) for e in found["candidates"]] == [
        (True, True),
        (False, False),
    ]
    assert found["readiness"]["mature_users"] == 240  # below 500: nothing is earned yet
    assert found["readiness"]["rung_earned"] == "curated"


def test_an_evaluation_is_remembered_unless_it_is_a_look(shop: Shop) -> None:
    shop.run("--no-keep")
    assert past(shop) == ()
    shop.run()
    later = replace(shop.parts, now=NOW + 7 * DAY, file=load_readiness())
    shop.parts = replace(later, core=frozenset())  # as if nobody used anything any more
    text = shop.run().output
    assert "stage segment (signals allow generic)" in text
    assert "the stage falls when a second weekly evaluation says the same" in text
    shop.parts = replace(shop.parts, now=NOW + 14 * DAY)
    assert "stage generic (signals allow generic)" in shop.run().output
    assert len(past(shop)) == 3


def test_a_broken_version_is_shown_as_such(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "models" / "next_step" / "v2" / "card.md").write_text("changed")
    text = shop.run().output
    assert "next_step v2 (broken): candidate" in text
    assert "card.md is not the file that was sealed" in text


def test_without_models_curated_journeys_rank(shop: Shop) -> None:
    shop.parts = replace(shop.parts, models=None, champions=None)
    assert "no model was fitted: curated journeys rank" in shop.run().output


def test_the_lines_of_a_gate() -> None:
    assert gate_of(CARD)[1] == "check | passed"
    assert len(gate_of(CARD)) == 4
    assert gate_of("") == []
