from __future__ import annotations

import string
from importlib.resources import files

import pytest

from agent import Copilot
from agent.answerers.scripted import ScriptedAnswerer
from agent.language import language
from agent.router import rule
from agent.types import RouteKind
from guardrails import stored
from retrieval.types import Scope
from tests.agent.shelf import TENANT, deps

LOCALES = sorted(f.name.removesuffix(".toml") for f in (files("agent") / "locales").iterdir())


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("locale", LOCALES)
def test_every_locale_says_everything_with_the_same_placeholders(locale: str) -> None:
    english, other = language("en").replies, language(locale).replies
    assert other.keys() == english.keys()
    for key, text in other.items():
        assert placeholders(text) == placeholders(english[key]), key


@pytest.mark.parametrize("locale", [name for name in LOCALES if name != "en"])
def test_a_locale_has_words_of_its_own(locale: str) -> None:
    english, other = language("en").replies, language(locale).replies
    assert not [key for key in english if english[key] == other[key]]


@pytest.mark.parametrize(
    ("tag", "locale"), [("de-AT", "de"), ("DE", "de"), ("xx", "en"), (None, "en"), ("en-GB", "en")]
)
def test_the_nearest_locale_is_taken(tag: str | None, locale: str) -> None:
    assert language(tag).locale == locale


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Hallo!", RouteKind.SMALL_TALK),
        ("Vielen Dank!", RouteKind.SMALL_TALK),
        ("Ich möchte mit einem Menschen sprechen.", RouteKind.HANDOVER),
        ("Was soll ich jetzt tun?", RouteKind.PROGRESS),
        ("Wie lade ich jemanden ein?", RouteKind.QUESTION),
        ("thanks!", RouteKind.SMALL_TALK),
    ],
)
def test_german_turns(text: str, kind: RouteKind) -> None:
    assert rule(stored(text), language("de")).kind is kind


async def test_a_refusal_is_in_the_viewers_language() -> None:
    scope = Scope(TENANT, {"locale": frozenset({"*", "de-CH"})})
    answer = await Copilot(deps(ScriptedAnswerer(()))).answer("Xylophone zebras?", scope)
    assert answer.text.startswith("Ich habe in der Dokumentation nichts zu „Xylophone zebras“")
