"""What every planner does in a conversation: one question at a time, nothing inferred unasked,
nothing started that nobody asked for. Tidemark's tools; utterances of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from pydantic import JsonValue

from agent.acting import (
    AskFor,
    CannotDo,
    Dropped,
    NoAction,
    Plan,
    Planner,
    Ready,
)
from guardrails import stored
from guardrails.labels import Integrity, Labelled
from tests.agent.acting.tidemark import FACTS, TOOLS, Talk, without

KEY = "rk_live_8fKq2LmZx7Rt5Wv9Yb3Nc6Pd"
LINK = "postgresql://reader:Zx81-vbn@db.firm.example:5433/warehouse"


def asks(plan: Plan, tool: str, argument: str | None) -> AskFor:
    assert isinstance(plan, AskFor), plan
    assert (plan.wish.tool, plan.argument) == (tool, argument), plan
    return plan


def ready(plan: Plan, tool: str) -> Ready:
    assert isinstance(plan, Ready), plan
    assert plan.wish.tool == tool
    return plan


class PlannerContract:
    """Inherited by the test module of each planner, which provides `planner`."""

    @pytest.fixture
    def planner(self) -> Planner:
        raise NotImplementedError

    async def test_a_complete_wish_is_ready_at_once(self, planner: Planner) -> None:
        talk = Talk(planner)
        plan = ready(await talk.say("add nia@firm.example as a guest"), "addPerson")
        assert await talk.values(plan) == {"email": "nia@firm.example", "role": "guest"}
        assert all("nia" not in str(slot.value) for slot in plan.wish.slots.values())

    async def test_asks_for_one_thing_at_a_time(self, planner: Planner) -> None:
        talk = Talk(planner)
        first = asks(await talk.say("add a person to the organisation"), "addPerson", "email")
        assert first.question == "Whose address?"
        second = asks(await talk.say("nia@firm.example"), "addPerson", "role")
        assert [c.value for c in second.choices] == ["manager", "contributor", "guest"]
        plan = ready(await talk.say("a contributor"), "addPerson")
        assert await talk.values(plan) == {"email": "nia@firm.example", "role": "contributor"}

    async def test_an_answer_that_does_not_fit_is_explained(self, planner: Planner) -> None:
        talk = Talk(planner)
        await talk.say("add nia@firm.example to the organisation")
        again = asks(await talk.say("boss"), "addPerson", "role")
        assert "manager, contributor, guest" in again.problem
        ready(await talk.say("manager then"), "addPerson")

    async def test_a_correction_replaces_what_was_said(self, planner: Planner) -> None:
        talk = Talk(planner)
        await talk.say("add nia@firm.example to the organisation")
        asks(await talk.say("no, bob@firm.example"), "addPerson", "role")
        plan = ready(await talk.say("guest"), "addPerson")
        assert await talk.values(plan) == {"email": "bob@firm.example", "role": "guest"}

    @pytest.mark.parametrize("word", ["cancel", "never mind", "No, forget it.", "stop"])
    async def test_can_be_called_off(self, planner: Planner, word: str) -> None:
        talk = Talk(planner)
        await talk.say("add a person to the organisation")
        plan = await talk.say(word)
        assert isinstance(plan, Dropped)
        assert plan.wish.tool == "addPerson"

    async def test_a_question_in_between_leaves_the_wish(self, planner: Planner) -> None:
        talk = Talk(planner)
        await talk.say("add nia@firm.example to the organisation")
        assert await talk.say("what does a guest see?") == NoAction()
        asks(await talk.say("ok, continue"), "addPerson", "role")
        ready(await talk.say("guest"), "addPerson")

    async def test_confirms_what_it_inferred(self, planner: Planner) -> None:
        talk = Talk(planner)
        asked = asks(await talk.say("claim our company domain"), "claimDomain", None)
        assert "firm.example" in asked.question
        assert "your e-mail address" in asked.question
        plan = ready(await talk.say("yes, please"), "claimDomain")
        assert await talk.values(plan) == {"domain": "firm.example"}

    async def test_a_no_to_what_was_inferred_asks_for_it(self, planner: Planner) -> None:
        talk = Talk(planner)
        await talk.say("claim our company domain")
        asks(await talk.say("no"), "claimDomain", "domain")
        plan = ready(await talk.say("firm.dev"), "claimDomain")
        assert await talk.values(plan) == {"domain": "firm.dev"}

    async def test_a_correction_counts_as_confirmed(self, planner: Planner) -> None:
        talk = Talk(planner)
        await talk.say("claim our company domain")
        plan = ready(await talk.say("no, firm.dev"), "claimDomain")
        assert await talk.values(plan) == {"domain": "firm.dev"}
        assert plan.wish.slots["domain"].origin == ""

    async def test_a_fact_of_too_little_trust_is_never_used(self, planner: Planner) -> None:
        low: Labelled[JsonValue] = Labelled("evil.example", Integrity.UNTRUSTED, "a document")
        talk = Talk(planner, facts={**FACTS, "profile.domain": low})
        asks(await talk.say("claim our company domain"), "claimDomain", "domain")

    async def test_parts_of_a_pasted_link_fill_their_arguments(self, planner: Planner) -> None:
        talk = Talk(planner)
        plan = ready(await talk.say(f"connect our database {LINK}"), "connectSource")
        assert await talk.values(plan) == {
            "kind": "postgresql",
            "host": "db.firm.example",
            "port": 5433,
            "database": "warehouse",
            "username": "reader",
            "password": "Zx81-vbn",
        }
        assert plan.wish.slots["password"].value == "<URL_1.password>"

    async def test_a_secret_is_asked_for_and_held(self, planner: Planner) -> None:
        talk = Talk(planner)
        asks(await talk.say("connect Stripe"), "connectSource", "apiKey")
        plan = ready(await talk.say(KEY), "connectSource")
        assert plan.wish.slots["apiKey"].value == "<API_KEY_1>"
        assert await talk.values(plan) == {"kind": "stripe", "apiKey": KEY}

    async def test_a_password_of_plain_words_is_never_seen(self, planner: Planner) -> None:
        talk = Talk(planner)
        await talk.say("connect our database postgresql, host db.firm.example")
        asks(await talk.say("warehouse"), "connectSource", "username")
        asks(await talk.say("reader"), "connectSource", "password")
        plan = ready(await talk.say("correct horse"), "connectSource")
        assert "horse" not in str(talk.last)
        assert (await talk.values(plan))["password"] == "correct horse"

    async def test_a_thing_is_known_by_its_name_and_asked_about_when_torn(
        self, planner: Planner
    ) -> None:
        talk = Talk(planner)
        plan = ready(await talk.say("take Kim out of the organisation"), "removePerson")
        assert await talk.values(plan) == {"personId": "p1"}
        talk = Talk(planner)
        torn = asks(await talk.say("take Lou out of the organisation"), "removePerson", "personId")
        assert {"p2", "p3"} <= {c.value for c in torn.choices}
        plan = ready(await talk.say("Abel"), "removePerson")
        assert await talk.values(plan) == {"personId": "p3"}

    async def test_a_thing_is_known_by_the_address_that_the_user_typed(
        self, planner: Planner
    ) -> None:
        talk = Talk(planner)
        said = "remove lou.marsh@firm.example from the organisation"
        plan = ready(await talk.say(said), "removePerson")
        assert await talk.values(plan) == {"personId": "p2"}

    @pytest.mark.parametrize(
        "text",
        [
            "how do I add a person?",
            "What is a guest?",
            "don't archive the board Launch",
            "thanks!",
            'the docs say "archive the board first"',
            "Kim archived the Launch board yesterday",
        ],
    )
    async def test_starts_nothing_that_nobody_asked_for(self, planner: Planner, text: str) -> None:
        assert await Talk(planner).say(text) == NoAction()

    async def test_claims_no_tool_that_is_not_offered(self, planner: Planner) -> None:
        fewer = without(TOOLS, "archiveBoard")
        plan = await Talk(planner, tools=fewer).say("archive the board Launch")
        assert isinstance(plan, CannotDo | NoAction)

    @pytest.mark.parametrize(("locale", "yes"), [("en", "sure, go ahead"), ("de", "ja, gerne")])
    async def test_a_yes_takes_up_an_offer(self, planner: Planner, locale: str, yes: str) -> None:
        talk = Talk(planner, locale=locale)
        await talk.say("How do I create a board called Roadmap?")
        talk.offered = "createBoard"
        plan = ready(await talk.say(yes), "createBoard")
        assert await talk.values(plan) == {"title": "Roadmap"}

    async def test_offers_what_a_question_asks_about(self, planner: Planner) -> None:
        question = stored("How do I connect Stripe?")
        assert await planner.offer(question, TOOLS) == "connectSource"
        assert await planner.offer(stored("What is your opinion on jazz?"), TOOLS) is None

    async def test_the_same_turn_gives_the_same_plan(self, planner: Planner) -> None:
        talk = Talk(planner)
        plan = await talk.say("add nia@firm.example as a guest")
        assert talk.last is not None
        again: Sequence[Plan] = [await planner.plan(replace(talk.last)) for _ in range(3)]
        assert all(each == plan for each in again)
