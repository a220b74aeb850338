"""Extractors: what people write -> the value as the tool takes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from pydantic import JsonValue

from agent.acting.filling import fill
from agent.acting.phrasing import phrasing
from agent.acting.said import listen
from agent.acting.speech import Act, act_of
from agent.acting.types import Choice
from tests.agent.acting.tidemark import tool
from tools.held import Held
from tools.types import Argument, Choices

NOW = datetime(2026, 3, 11, 14, 20, tzinfo=UTC)  # a Wednesday
ZONE = ZoneInfo("Europe/Vienna")
EVERY: Mapping[str, JsonValue] = {"type": "string", "enum": ["15m", "1h", "6h", "24h"]}
PERIOD: Mapping[str, JsonValue] = {"type": "string", "pattern": r"^P(\d+D|T\d+[HM])$"}
MOMENT: Mapping[str, JsonValue] = {"type": "string", "format": "date-time"}
DAY: Mapping[str, JsonValue] = {"type": "string", "format": "date"}
LEVEL: Mapping[str, JsonValue] = {"type": "string", "enum": ["low", "high", "import.failed"]}
COUNT: Mapping[str, JsonValue] = {"type": "integer", "minimum": 1, "maximum": 100_000}
PLAIN: Mapping[str, JsonValue] = {"type": "string"}


def value_of(
    text: str,
    schema: Mapping[str, JsonValue],
    argument: Argument,
    name: str = "it",
    locale: str = "en",
    choices: tuple[Choice, ...] = (),
) -> JsonValue:
    """What the text gives for the one argument of a tool; None for nothing."""
    held = {
        token: Held(token, token.strip("<>").rsplit("_", 1)[0], {"domain": "acme.io"})
        for token in ("<EMAIL_ADDRESS_1>", "<EMAIL_ADDRESS_2>")
    }
    manifest = tool("try", "Try", {name: dict(schema)}, {name: argument}, must=(name,))
    said = listen(text, held, NOW, ZONE)
    found = fill(manifest, said, phrasing(locale), {name: choices}).found.get(name)
    return None if found is None else found.value


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("import every hour", "1h"),
        ("every 15 minutes please", "15m"),
        ("once a day is fine, daily", "24h"),
        ("run it every 6 hours", "6h"),
        ("every 7 minutes", None),
    ],
)
def test_a_duration_becomes_a_member(text: str, wanted: str | None) -> None:
    assert value_of(text, EVERY, Argument("Interval", kind="duration")) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("for 2 weeks", "P14D"), ("for 90 minutes", "PT90M"), ("for 3 hours", "PT3H")],
)
def test_a_duration_takes_the_form_of_the_pattern(text: str, wanted: str) -> None:
    assert value_of(text, PERIOD, Argument("Length", kind="duration")) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("until Friday", "2026-03-13T00:00:00+01:00"),
        ("until tomorrow at 9", "2026-03-12T09:00:00+01:00"),
        ("until 5pm", "2026-03-11T17:00:00+01:00"),
        ("for 3 days", "2026-03-14T15:20:00+01:00"),
        ("on 2026-04-01T08:30:00Z", "2026-04-01T08:30:00+00:00"),
        ("until the end of the month", "2026-03-31T00:00:00+02:00"),
        ("next Monday at noon", "2026-03-16T12:00:00+01:00"),
        ("you may go", None),
    ],
)
def test_moments_in_the_users_zone(text: str, wanted: str | None) -> None:
    assert value_of(text, MOMENT, Argument("Until", kind="datetime")) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("on 1 December", "2026-12-01"),
        ("on January 5th", "2027-01-05"),
        ("24.12.2026", "2026-12-24"),
        ("12/24/2026", "2026-12-24"),
        ("today", "2026-03-11"),
        ("31 February", None),
    ],
)
def test_days(text: str, wanted: str | None) -> None:
    assert value_of(text, DAY, Argument("Day", kind="date")) == wanted


def test_days_in_german() -> None:
    argument = Argument("Tag", kind="date")
    assert value_of("am nächsten Freitag", DAY, argument, locale="de") == "2026-03-13"
    assert value_of("bis morgen", DAY, argument, locale="de") == "2026-03-12"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("at 6 in the morning", "06:00"),
        ("at 6 in the evening", "18:00"),
        ("at 18:45", "18:45"),
        ("7 pm", "19:00"),
        ("12 am", "00:00"),
        ("at noon", "12:00"),
        ("version 2.50", None),
    ],
)
def test_times_of_day(text: str, wanted: str | None) -> None:
    assert value_of(text, PLAIN, Argument("Time of day", kind="time")) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("at 6, Berlin time", "Europe/Berlin"),
        ("in Europe/Paris", "Europe/Paris"),
        ("UTC", "UTC"),
        ("New York time", "America/New_York"),
        ("we are from Berlin", None),
    ],
)
def test_time_zones(text: str, wanted: str | None) -> None:
    assert value_of(text, PLAIN, Argument("Zone", kind="timezone")) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("below 40", 40),
        ("above 25,000", 25000),
        ("2k is the limit", 2000),
        ("a dozen", 12),
        ("twenty of them", 20),
        ("at 200000", None),
        ("ticket-7 and v3", None),
    ],
)
def test_numbers(text: str, wanted: int | None) -> None:
    assert value_of(text, COUNT, Argument("Limit"), name="limit") == wanted


def test_a_number_in_the_arguments_own_unit() -> None:
    argument = Argument("Valid for (days)", kind="number")
    assert value_of("for 2 weeks", COUNT, argument, name="expires_in_days") == 14
    assert value_of("for 5 minutes", COUNT, argument, name="expires_in_days") is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("severity high", "high"),
        ("it is critical, hihg priority", None),
        ("when imports failed", "import.failed"),
        ("from low to high", "high"),
        ("low or high", None),
        ("not high, low", "low"),
    ],
)
def test_members_of_an_enumeration(text: str, wanted: str | None) -> None:
    assert value_of(text, LEVEL, Argument("Level")) == wanted


def test_a_slip_of_the_keyboard_is_forgiven_in_long_words_only() -> None:
    schema: Mapping[str, JsonValue] = {"type": "string", "enum": ["enterprise", "free"]}
    assert value_of("the enterprize plan", schema, Argument("Plan")) == "enterprise"
    assert value_of("the fred plan", schema, Argument("Plan")) is None


def test_the_options_of_the_question_name_the_members() -> None:
    schema: Mapping[str, JsonValue] = {"type": "string", "enum": ["a1", "b2", "c3"]}
    argument = Argument("Mode", ask="Which mode: gentle, thorough or reckless?")
    assert value_of("be thorough", schema, argument) == "b2"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("with the sample project", True),
        ("without the sample project", False),
        ("don't share the sample project", False),
        ("and a project", None),
    ],
)
def test_switches(text: str, wanted: bool | None) -> None:
    argument = Argument("Share the sample project")
    assert value_of(text, {"type": "boolean"}, argument, name="sample_project") is wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('a board called "Ops cockpit"', "Ops cockpit"),
        ("a board named Weekly numbers, please", "Weekly numbers"),
        ("rename it to Growth 2026", "Growth 2026"),
        ("call it Roadmap and share it", "Roadmap"),
        ("a board", None),
    ],
)
def test_names(text: str, wanted: str | None) -> None:
    assert value_of(text, PLAIN, Argument("Name", kind="name"), name="name") == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("erase user 4711", ["4711"]),
        ("users 12, 13 and u-14", ["12", "13", "u-14"]),
        ("erase the user", None),
    ],
)
def test_ids(text: str, wanted: list[str] | None) -> None:
    schema: Mapping[str, JsonValue] = {"type": "array", "items": {"type": "string"}}
    assert value_of(text, schema, Argument("User ids", kind="id"), name="user_ids") == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("verify acme.dev", "acme.dev"),
        ("see notes.txt", None),
        ("for <EMAIL_ADDRESS_1>", "acme.io"),
    ],
)
def test_domains(text: str, wanted: str | None) -> None:
    assert value_of(text, PLAIN, Argument("Domain", kind="domain"), name="domain") == wanted


def test_a_certificate_is_taken_whole() -> None:
    pem = "-----BEGIN CERTIFICATE-----\nMIIB\nAAAA\n-----END CERTIFICATE-----"
    assert value_of(f"here: {pem} ok", PLAIN, Argument("Certificate", kind="pem")) == pem


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("pause the weekly numbers board", "b1"),
        ("pause Weekly", "b1"),
        ("pause the numbers", None),
        ("pause monthly number", "b2"),
        ("pause everything", None),
    ],
)
def test_things_by_name(text: str, wanted: str | None) -> None:
    argument = Argument("Board", choices=Choices("list", "/x", "id", "name"))
    there = (Choice("b1", "Weekly numbers"), Choice("b2", "Monthly numbers"))
    assert value_of(text, PLAIN, argument, choices=there) == wanted


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("Pause the Stripe connection", Act.ORDER),
        ("can you pause Stripe?", Act.ORDER),
        ("I'd like a new board", Act.ORDER),
        ("is it still on? please check it", Act.ORDER),
        ("How do I pause Stripe?", Act.HOW_TO),
        ("can you tell me how to pause Stripe?", Act.HOW_TO),
        ("what is a SCIM token?", Act.HOW_TO),
        ("which boards do we have?", Act.STATE),
        ("can viewers edit boards?", Act.FACT),
        ("don't pause Stripe", Act.REFUSED),
        ('the docs say "pause Stripe"', Act.TOLD),
        ("Kim deleted the board yesterday", Act.TOLD),
        ("my import failed", Act.STATEMENT),
        ("thanks a lot", Act.SOCIAL),
    ],
)
def test_kinds_of_utterance(text: str, act: Act) -> None:
    assert act_of(text, phrasing("en")) is act


def test_kinds_of_utterance_in_german() -> None:
    words = phrasing("de")
    assert act_of("Wie verbinde ich Stripe?", words) is Act.HOW_TO
    assert act_of("Bitte verbinde Stripe", words) is Act.ORDER
    assert act_of("Lösche das nicht", words) is Act.REFUSED
