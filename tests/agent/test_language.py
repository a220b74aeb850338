from __future__ import annotations

import string
from importlib.resources import files

import pytest

from agent import Copilot
from agent.answerers.scripted import ScriptedAnswerer
from agent.language import language, language_of
from agent.router import rule
from agent.spoken import spoken
from agent.types import RouteKind
from guardrails import stored
from retrieval.types import Scope
from tests.agent.shelf import TENANT, deps

LOCALES = sorted(f.name.removesuffix(".toml") for f in (files("agent") / "locales").iterdir())


ENGLISH = (
    "How do I bake sourdough bread?",
    "How do I invite my team?",
    "What is MRR?",
    "Where can I find my API key?",
    "Can I export a dashboard as CSV?",
    "Why did my import fail?",
    "How many people can I invite at once?",
    "Is there a limit on exports?",
    "Who can change the plan?",
    "What happens when an import fails halfway?",
    "Does Harbor support SAML?",
    "How long does it take?",
    "and for Okta?",
    "what about the business plan?",
    "Which roles can delete a workspace?",
    "I can't sign in",
    "My dashboard shows the wrong numbers",
    "Please explain retention cohorts",
    "When will my trial end?",
    "How to rotate an API key",
    "Should we use SCIM or SSO?",
    "Tell me about webhooks",
    "how does billing work",
    "Are dashboards shared with everyone?",
    'What does "Datenschutz und Sicherheit" mean?',
    "What's the difference between admin and owner?",
    "Will I lose my data if I cancel?",
    "Could you show me how to connect PostgreSQL?",
    "How do I get an MIT-licensed client?",
    "What is the rate limit of the API?",
    "Was my import finished?",
    "I want to talk to a human",
    "Hello!",
    "Thanks!",
)
GERMAN = (
    "Wie lade ich mein Team ein?",
    "Was kostet der Business-Tarif?",
    "Wo finde ich meinen API-Schlüssel?",
    "Kann ich ein Dashboard als CSV exportieren?",
    "Warum ist mein Import fehlgeschlagen?",
    "Wie viele Personen kann ich auf einmal einladen?",
    "Gibt es ein Limit für Exporte?",
    "Wer darf den Plan ändern?",
    "Was ist MRR?",
    "Wie richte ich SSO mit Okta ein?",
    "und für Okta?",
    "Wie lange dauert das?",
    "Ich kann mich nicht anmelden",
    "Welche Rollen dürfen einen Workspace löschen?",
    "Läuft eine Einladung ab?",
    "Wie backe ich Sauerteigbrot?",
    "Hallo!",
    "Kann man Daten importieren?",
    "Was passiert, wenn ein Import abbricht?",
)
OTHERS = {
    "¿Cómo invito a mi equipo?": "es",
    "¿Qué es MRR?": "es",
    "¿Dónde está mi clave de API?": "es",
    "Comment inviter mon équipe ?": "fr",
    "Est-ce que je peux exporter un tableau de bord ?": "fr",
    "Hoe kan ik mijn team uitnodigen?": "nl",
    "Wie kan een uitnodiging versturen?": "nl",
    "Come posso invitare il mio team?": "it",
}
NO_LANGUAGE = (
    "export dashboard CSV",
    "SSO mit Okta",
    "MIT license",
    "Xylophone zebras?",
    "PostgreSQL",
    "DAS 500",
    "error 429",
    "`und wie ist das`",
    "Die cut export sizes",
    "ok",
    "https://docs.example.com/wie/ist/das",
    "チームを招待するには?",
    "Do invites expire?",
    "",
)
ALL_PAGES = {"en", "de", "es"}


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


@pytest.mark.parametrize("text", ENGLISH)
def test_english_is_heard(text: str) -> None:
    assert spoken(text) == "en"
    for held in (ALL_PAGES, {"de"}, set[str]()):
        assert language_of([text], held).locale == "en"


@pytest.mark.parametrize("text", GERMAN)
def test_german_is_heard_on_an_english_page_too(text: str) -> None:
    assert spoken(text) == "de"
    for held in (ALL_PAGES, {"en"}, set[str]()):
        assert language_of([text], held).locale == "de"


@pytest.mark.parametrize(("text", "code"), OTHERS.items())
def test_a_language_without_replies_is_not_taken_for_one_that_has_them(
    text: str, code: str
) -> None:
    assert spoken(text) == code
    assert language_of([text], ALL_PAGES).locale == "en"
    assert language_of([text], {"de"}).locale == "de"


@pytest.mark.parametrize("text", NO_LANGUAGE)
def test_names_code_and_quotes_give_no_language_away(text: str) -> None:
    assert spoken(text) is None
    assert language_of([text], {"de-CH"}).locale == "de"
    assert language_of([text], ALL_PAGES).locale == "en"


def test_a_text_without_a_language_takes_that_of_the_conversation() -> None:
    said = ["PostgreSQL?", "ok", "Wie richte ich SSO ein?", "How do I invite my team?"]
    assert language_of(said, {"en"}).locale == "de"
    assert language_of(said[3:], {"en"}).locale == "en"


async def test_an_english_question_is_refused_in_english_where_every_locale_is_read() -> None:
    scope = Scope(TENANT, {"locale": frozenset({"*", *ALL_PAGES})})
    copilot = Copilot(deps(ScriptedAnswerer(())))
    english = await copilot.answer("How do I bake sourdough bread?", scope)
    german = await copilot.answer("Wie backe ich Sauerteigbrot?", scope)
    assert english.refused
    assert "the documentation" in english.text
    assert "in der Dokumentation" in german.text
