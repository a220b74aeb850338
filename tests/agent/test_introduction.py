"""Who writes is no part of what is searched for; what is asked stays whole."""

from __future__ import annotations

import pytest

from agent.introduction import without_introduction
from agent.language import language
from guardrails import stored

ASKED = "How do I connect Stripe?"


@pytest.mark.parametrize(
    "text",
    [
        f"Hi, I am <PERSON_1> from <LOCATION_1>. {ASKED}",
        f"Hello! {ASKED}",
        f"hey there, im <PERSON>\n{ASKED}",
        f"Hi there. My name is <PERSON_1> and I run marketing. {ASKED} Thanks!",
        f"<PERSON_1> here. {ASKED}",
        f"{ASKED}\n\nBest regards,\n<PERSON_1>\n<EMAIL_ADDRESS_1>",
        f"We are a small team at <ORGANIZATION_1>. {ASKED}",
        f"I\u2019m <PERSON_1>! {ASKED} Thank you, <PERSON_1>",
    ],
)
def test_is_left_out_of_the_question(text: str) -> None:
    assert without_introduction(stored(text), language("en")) == ASKED


def test_in_german_and_english_beside_it() -> None:
    for text in (
        "Hallo, ich bin <PERSON_1> aus <LOCATION_1>. Wie verbinde ich Stripe?",
        "Guten Tag! Wie verbinde ich Stripe? Viele Grüße, <PERSON_1>",
        "Hi, I'm <PERSON_1>. Wie verbinde ich Stripe?",
    ):
        assert without_introduction(stored(text), language("de")) == "Wie verbinde ich Stripe?"


@pytest.mark.parametrize(
    "text",
    [
        ASKED,
        "I want to make <PERSON_1> an admin. How does that work?",
        "Is <PERSON_1> an admin? I invited <PERSON_2> too.",
        "The import failed. It said 429. What now?",
        "Please invite <PERSON_1>.",
        "Hi, I am <PERSON_1>.",
        "Version 3.4 of the gateway is out. Should I update?",
        "",
    ],
)
def test_what_is_asked_stays_whole(text: str) -> None:
    assert without_introduction(stored(text), language("en")) == text
