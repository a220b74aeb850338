"""What onboarding says, as a conversation tells it: the answer, the cards, the public state."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from ag_ui.core import ActivitySnapshotEvent, StateDeltaEvent
from typing_extensions import override

from agent import Copilot, Deps
from agent.events import dump_event, load_event
from agent.guiding import ListedStep, NextStep, Question, Situation, Standing, Trouble, Watch
from agent.language import language
from agent.situating import may_be_trouble, with_trouble
from agent.stream import Translator
from agent.types import StandingShown, StepsShown
from guardrails import literal
from retrieval.types import Citation
from tests.agent.acting_floor import QUESTION, Stage, Told
from tests.agent.shelf import NOON, ShelfRetriever
from tests.tools.acting.floor import ANA
from tools.types import Actor

LAMP = NextStep(
    "d" * 22, "set_lamp", "Set the lamp", "Everything else needs light.", 2, 3, "set_item"
)
INVITE = NextStep("d" * 22, "invite", "Invite your team", "Two of you finish twice as fast.", 1)
STANDING = Standing(
    journey="start@2",
    title="First light",
    checklist=(
        ListedStep("plug", "Plug it in", "done", 1),
        ListedStep("lamp", "Set the lamp", "open", 2),
        ListedStep("invite", "Invite your team", "open", 1, "account"),
        ListedStep("sso", "Single sign-on", "skipped", 3),
    ),
    cards=(LAMP, INVITE),
    share=0.25,
    minutes_left=7,
    curated=False,
)


@dataclass
class FixedGuide:
    """Says what it is told to, and counts."""

    found: Standing | None = STANDING
    after: Standing | None = None  # from the second time on
    troubles: tuple[Trouble, ...] = ()
    delay_s: float = 0.0
    asked: list[tuple[str, str]] = field(default_factory=list)
    replied: list[tuple[str, str, str | None]] = field(default_factory=list)

    async def reply(self, actor: Actor, question: str, session: str, value: str | None) -> bool:
        self.replied.append((question, session, value))
        return len(self.replied) == 1  # it is open once

    async def standing(self, actor: Actor, locale: str) -> Standing | None:
        self.asked.append((actor.subject, locale))
        await asyncio.sleep(self.delay_s)
        return self.after if self.after is not None and len(self.asked) > 1 else self.found

    async def situation(self, actor: Actor) -> Situation:
        return Situation(troubles=self.troubles)


class Guided(Stage):
    """A stage whose Copilot is guided."""

    def __init__(self, guide: FixedGuide, **more: Any) -> None:
        self.guide = guide
        self.retriever = ShelfRetriever()
        super().__init__(**more)

    @override
    def parts(self) -> Deps:
        return replace(super().parts(), guide=self.guide, retriever=self.retriever)

    def searched(self) -> list[str]:
        return [str(question) for question in self.retriever.asked]


def _page(_citation: Citation) -> str:
    return "/"


def standings(told: Told) -> list[StandingShown]:
    return [e.event for e in told.events if isinstance(e.event, StandingShown)]


async def test_what_next_is_answered_with_progress_reasons_and_an_offer() -> None:
    told = await Guided(FixedGuide()).says("What should I do next?")
    assert told.text == (
        "You have done 1 of 3 steps of “First light”. What is left takes about 7 minutes.\n\n"
        "What helps you most now:\n\n"
        "1. **Set the lamp** (about 3 min): Everything else needs light.\n"
        "2. **Invite your team**: Two of you finish twice as fast.\n\n"
        "I can do this for you: **Set the lamp**. Shall I?"
    )
    answer = told.finished.answer
    assert (answer.refused, answer.offer) == (False, "set_item")
    (shown,) = told.of(StepsShown)
    assert isinstance(shown, StepsShown)
    assert [card["id"] for card in shown.cards] == [f"{'d' * 22}.set_lamp", f"{'d' * 22}.invite"]


CHOICES = {"admin": "I set up", "reader": "I read"}
ROLE = Question("role", "visit-1", "role", "What do you do?", "It helps.", CHOICES)


@pytest.mark.parametrize(
    ("text", "value"),
    [("I read", "reader"), ("i set up.", "admin"), ("2", "reader"), ("Leave this", None)],
)
async def test_the_next_message_may_answer_it(text: str, value: str | None) -> None:
    guide = FixedGuide(replace(STANDING, question=ROLE))
    stage = Guided(guide)
    await stage.says("What should I do next?")
    told = await stage.says(text)
    assert guide.replied == [("role", "visit-1", value)]
    assert told.text.startswith("Thank you, noted.\n\nYou have done 1 of 3 steps")
    again = await stage.says(text)
    assert not again.text.startswith("Thank you"), "it is not open any more"


@pytest.mark.parametrize("text", ["yes", QUESTION, "4", "I read reports all day"])
async def test_anything_else_is_a_turn_of_its_own(text: str) -> None:
    guide = FixedGuide(replace(STANDING, question=ROLE))
    stage = Guided(guide)
    await stage.says("What should I do next?")
    await stage.says(text)
    assert guide.replied == []


async def test_the_one_question_is_asked_with_why_and_what_may_be_answered() -> None:
    told = await Guided(FixedGuide(replace(STANDING, question=ROLE))).says("What should I do next?")
    asked, offer = told.text.split("\n\n")[-3:-1], told.text.split("\n\n")[-1]
    assert asked == [
        "One question, if you like, so that the next steps fit you better: "
        "**What do you do?** It helps.",
        "1. I set up\n2. I read\n3. Leave this",
    ]
    assert offer.endswith("Shall I?"), "a plain yes is for the step"
    (shown,) = told.of(StepsShown)
    assert isinstance(shown, StepsShown)
    assert shown.question is not None
    assert (shown.question["id"], shown.question["session"]) == ("role", "visit-1")
    assert shown.question["choices"] == [
        {"value": "admin", "label": "I set up"},
        {"value": "reader", "label": "I read"},
    ]
    assert load_event(dump_event(shown)) == shown


async def test_yes_starts_the_first_step() -> None:
    stage = Guided(FixedGuide())
    await stage.says("What should I do next?")
    told = await stage.says("yes")
    assert told.text == "Which item?"


async def test_a_tool_of_others_is_not_offered() -> None:
    guide = FixedGuide(replace(STANDING, cards=(replace(LAMP, tool="require_sso"), INVITE)))
    told = await Guided(guide).says("What should I do next?")
    assert "Shall I?" not in told.text
    assert told.finished.answer.offer is None


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (None, "personalisation is switched off"),
        (replace(STANDING, cards=()), "what is left waits for somebody else"),
        (replace(STANDING, curated=True), "What comes next on your list:"),
        (
            replace(STANDING, checklist=STANDING.checklist[:1], cards=(), reached=True),
            "You have done every step of “First light”.",
        ),
    ],
)
async def test_every_standing_has_its_words(standing: Standing | None, said: str) -> None:
    told = await Guided(FixedGuide(standing)).says("What should I do next?")
    assert said in told.text
    assert not told.finished.answer.refused


async def test_in_german() -> None:
    told = await Guided(FixedGuide()).says("Was soll ich als Nächstes tun?")
    assert told.text.startswith("Sie haben 1 von 3 Schritten von „First light“ erledigt.")


async def test_nobody_signed_in_is_not_guided() -> None:
    guide = FixedGuide()
    told = await Guided(guide).says("What should I do next?", actor=None)
    assert "cannot see your progress" in told.text
    assert guide.asked == []


async def test_every_run_tells_where_the_person_stands_once() -> None:
    told = await Guided(FixedGuide()).says(QUESTION)
    (shown,) = standings(told)
    assert [step["id"] for step in shown.checklist] == ["plug", "lamp", "invite", "sso"]
    assert [step["done"] for step in shown.checklist] == [True, False, False, False]
    assert told.kinds.index("StandingShown") < told.kinds.index("MessageFinished")


async def test_an_action_that_moved_the_person_on_is_told_before_the_end() -> None:
    done = replace(
        STANDING, checklist=tuple(replace(s, state="done") for s in STANDING.checklist), cards=()
    )
    stage = Guided(FixedGuide(after=None))
    paused = await stage.says("set lamp to red")
    stage.guide.after = done
    told = await stage.approves(paused)
    assert [len(shown.cards) for shown in standings(told)][-1] == 0
    assert told.kinds[-1] == "RunFinished"


async def test_a_slow_guide_does_not_hold_up_the_answer() -> None:
    guide = FixedGuide(delay_s=30)
    told = await asyncio.wait_for(Guided(guide).says(QUESTION), 10)
    assert standings(told) == []
    assert "50 people" in told.text


async def test_the_same_standing_is_told_once() -> None:
    watch = Watch(FixedGuide(), ANA, "en")
    assert await watch.last() is not None
    assert await watch.last() is None
    await watch.aclose()


def test_on_the_wire_state_is_a_delta_and_cards_an_activity() -> None:
    translator = Translator(_page)
    shown = StandingShown(({"id": "lamp", "done": False},), ({"id": "d.a"},))
    (delta,) = translator.translate(shown)
    assert isinstance(delta, StateDeltaEvent)
    assert {step.path: getattr(step, "value", None) for step in delta.delta} == {
        "/checklist": [{"id": "lamp", "done": False}],
        "/nextActions": [{"id": "d.a"}],
    }
    assert translator.translate(shown) == []
    (cards,) = translator.translate(StepsShown("m1", ({"id": "d.a"},)))
    assert isinstance(cards, ActivitySnapshotEvent)
    assert (cards.message_id, cards.activity_type) == ("m1:steps", "embark.next_actions")


@pytest.mark.parametrize(
    "event", [StandingShown(({"id": "a"},), ()), StepsShown("m", ({"id": "d.a", "minutes": 3},))]
)
def test_what_is_logged_reads_back(event: StandingShown | StepsShown) -> None:
    assert load_event(dump_event(event)) == event


async def test_who_joins_later_gets_the_state_too() -> None:
    stage = Guided(FixedGuide())
    copilot: Copilot = stage.copilot
    shown = await copilot.standing(ANA, stage.request("x").scope)
    assert shown is not None
    assert len(shown.cards) == 2
    assert await copilot.standing(None, stage.request("x").scope) is None


# --- a question about what just went wrong -------------------------------------------------------

TROUBLE = Trouble("Import Failed", NOON - timedelta(minutes=2), "HBR-204", "csv")
ENGLISH, GERMAN = language("en"), language("de")


@pytest.mark.parametrize(
    ("text", "words", "is_trouble"),
    [
        ("Why did my import fail?", ENGLISH, True),
        ("It does not work", ENGLISH, True),
        ("fix it for me please", ENGLISH, True),
        ("What does HBR-101 mean when an import fails?", ENGLISH, False),
        ("How do I connect Stripe?", ENGLISH, False),
        ("Warum ist der Import fehlgeschlagen?", GERMAN, True),
        ("Der Import klappt nicht", GERMAN, True),
        ("Wie verbinde ich Stripe?", GERMAN, False),
    ],
)
def test_words_of_trouble(text: str, words: Any, is_trouble: bool) -> None:
    assert may_be_trouble(literal(text), words) is is_trouble


@pytest.mark.parametrize(
    ("trouble", "found"),
    [
        (TROUBLE, "Why? (Import Failed csv HBR-204)"),
        (replace(TROUBLE, about="<script>"), "Why? (Import Failed HBR-204)"),
        (replace(TROUBLE, at=NOON - timedelta(hours=1)), "Why?"),
    ],
)
def test_the_newest_trouble_is_named(trouble: Trouble, found: str) -> None:
    assert with_trouble(literal("Why?"), Situation(troubles=(trouble,)), NOON) == found


async def test_the_search_hears_of_the_trouble() -> None:
    stage = Guided(FixedGuide())
    stage.guide.troubles = (replace(TROUBLE, at=stage.floor.clock()),)
    told = await stage.says("Why did my import fail?")
    assert stage.searched() == ["Why did my import fail? (Import Failed csv HBR-204)"]
    assert told.finished.answer.refused


async def test_without_words_of_trouble_nothing_is_asked() -> None:
    stage = Guided(FixedGuide(troubles=(TROUBLE,)))
    await stage.says(QUESTION)
    assert stage.searched() == [QUESTION]
