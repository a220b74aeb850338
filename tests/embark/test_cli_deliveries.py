"""`embark deliveries`: what was sent, why it waits, and what does not help."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from embark.cli import VERBS, Verb
from embark.layers import load_settings
from embark.onboarding_database import open_database
from onboarding.interventions import Channel, Message, Standing
from onboarding.interventions.channel import Sent, Unsure
from onboarding.store.interventions import Claim
from onboarding.store.interventions.sql import SqlDeliveries
from onboarding.types import Person
from tests.embark.project import run
from tests.onboarding.interventions.making import NOON, message

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    verb = Verb("embark.cli.deliveries:deliveries_app", "Messages that were sent, and why not.")
    monkeypatch.setitem(VERBS, "deliveries", verb)


def kept(*messages: Message) -> None:
    """Planned, and let out where the governor lets them."""

    async def work() -> None:
        store = SqlDeliveries(engine)
        for delivery in await store.plan(messages, NOW):
            found = await store.claim(delivery, Standing(zone="UTC"), NOW)
            if isinstance(found, Claim):
                await store.settle(found.delivery, Sent("p1"), NOW, Random(1))

    engine = open_database(load_settings().settings)
    try:
        asyncio.run(work())
    finally:
        engine.dispose()


def ana(step: str, user: str = "ana", **more: object) -> Message:
    return message(step, Person("default", user), values={"secret": "s3cret"}, **more)


def test_list_says_state_and_reason(project: Path) -> None:
    kept(ana("a"), ana("b"), ana("c", "bo"))
    shown = run("deliveries", "list").output
    assert "held       gap" in shown
    assert shown.count("sent") == 2
    assert "s3cret" not in shown
    found = json.loads(run("deliveries", "list", "--json", "--subject", "bo").output)
    assert [each["step"] for each in found["deliveries"]] == ["c"]
    one = json.loads(run("deliveries", "list", "--json", "--state", "held").output)
    assert [each["reason"] for each in one["deliveries"]] == ["gap"]
    nothing = run("deliveries", "list", "--channel", "email")
    assert "no deliveries that fit" in nothing.output


def unsure(*messages: Message) -> None:
    """Handed over, and the answer is missing."""

    async def work() -> None:
        store = SqlDeliveries(engine)
        for delivery in await store.plan(messages, NOON):
            found = await store.claim(delivery, Standing(zone="UTC"), NOON)
            assert isinstance(found, Claim)
            await store.settle(found.delivery, Unsure(), NOON, Random(1))

    engine = open_database(load_settings().settings)
    try:
        asyncio.run(work())
    finally:
        engine.dispose()


def test_a_person_says_what_became_of_it(project: Path) -> None:
    first, second = (ana("a", user, channel=Channel.EMAIL) for user in ("ana", "bo"))
    unsure(first, second)
    shown = run("deliveries", "list", "--state", "unknown").output
    assert first.id in shown
    assert "sent" in run("deliveries", "resolve", first.id, "sent").output
    assert "retry" in run("deliveries", "resolve", second.id, "lost").output
    assert "no deliveries" in run("deliveries", "list", "--state", "unknown").output
    again = run("deliveries", "resolve", first.id, "lost")
    assert again.exit_code == 2
    assert "--state unknown" in again.output
    assert run("deliveries", "resolve", "0" * 32, "sent").exit_code == 2


def test_show_says_why_and_until_when(project: Path) -> None:
    held = ana("b")
    kept(ana("a"), held)
    shown = run("deliveries", "show", held.id).output
    assert "gap" in shown
    assert (NOW + timedelta(seconds=90)).isoformat() in shown
    document = json.loads(run("deliveries", "show", held.id, "--json").output)["delivery"]
    assert document["deadline"] == (NOW + timedelta(hours=72)).isoformat()
    assert "values" not in document
    missing = run("deliveries", "show", "0" * 32)
    assert missing.exit_code == 2
    assert "embark deliveries list" in missing.output


def test_reading_leaves_a_row_in_the_audit_log(project: Path) -> None:
    made = ana("a")
    kept(made)
    run("deliveries", "show", made.id)
    rows = json.loads(run("audit", "list", "--json").output)
    assert "read_subject" in json.dumps(rows)


def test_what_helps_and_what_does_not(project: Path) -> None:
    kept(*(ana("nudge", f"p{n}", null_share=0.4) for n in range(60)))
    shown = run("deliveries", "effects").output
    assert "admin-first-value/nudge" in shown
    assert "+0.0%" in shown
    (effect,) = json.loads(run("deliveries", "effects", "--json").output)["effects"]
    assert effect["reached"] + effect["nothing"] == 60
    assert json.loads(run("deliveries", "retire", "--json").output) == {
        **json.loads(run("deliveries", "retire", "--json").output),
        "retire": [],
    }
    assert "nothing is known to be useless" in run("deliveries", "retire").output


def test_channels_have_names(project: Path) -> None:
    kept(ana("a", channel=Channel.IN_APP))
    assert run("deliveries", "list", "--channel", "in_app").output.count("sent") == 1
    assert run("deliveries", "list", "--channel", "pigeon").exit_code == 2
