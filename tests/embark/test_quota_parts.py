"""Settings become quotas; a model that costs money answers only while the day's cap lasts."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from pydantic import ValidationError

from agent import Copilot
from agent.answerers.extractive import ExtractiveAnswerer
from agent.answerers.scripted import Line, Pause, ScriptedAnswerer
from agent.types import Answer, AnswererError, Draft, Spent
from api.guarding import Guard
from api.quotas import QuotaError
from api.spending import Caps, MemoryPurse, Spending
from embark.quota_parts import (
    MILLION,
    Metered,
    Prices,
    is_shared,
    make_quotas,
    make_spending,
)
from embark.settings import ModelSettings, Settings
from guardrails import stored
from retrieval.memory import HashEncoder
from tests.agent.asking import FIFTY, QUESTION, SEVEN
from tests.agent.shelf import SCOPE, TENANT, deps, passages
from tests.api.minting import NOW
from tests.contracts.answerer import AnswererContract

DAY = NOW.date().isoformat()
PRICES = Prices(input=2.0, output=10.0, most_output=800)
USED = Spent({"input_tokens": 1500, "output_tokens": 200})
COST = 1500 * 2 + 200 * 10
MOST = PRICES.most(["x" * 20_000])


class Purse:
    """A model over a purse, for whoever asks."""

    def __init__(self, *script: Line, cap: int = 10 * MOST, user: int | None = None) -> None:
        self.purse = MemoryPurse()
        guard = Guard("spending", lambda: 0.0)
        spending = Spending(Caps(cap, user, user), self.purse, lambda: NOW, guard)
        self.metered = Metered(ScriptedAnswerer(script, "paid"), spending, PRICES)

    async def spent(self) -> int:
        return await self.purse.spent(TENANT, DAY, "tenant")

    async def asked(self, subject: str | None = "ana") -> Answer:
        """As a Copilot asks, with the answerer that costs nothing behind."""
        parts = deps(
            self.metered.paid_by(TENANT, subject), fallback=ExtractiveAnswerer(HashEncoder())
        )
        return await Copilot(parts).answer(QUESTION, SCOPE)

    async def drafted(self, most: int = 100) -> list[Draft | Spent]:
        answerer = self.metered.paid_by(TENANT, "ana")
        found: list[Draft | Spent] = []
        async with aclosing(answerer.draft(stored(QUESTION), passages(0), ())) as drafts:  # type: ignore[type-var]
            async for item in drafts:
                found.append(item)
                if len(found) == most:
                    break
        return found


class TestPaidContract(AnswererContract):
    @pytest.fixture
    def answerer(self) -> object:
        return Purse(FIFTY).metered.paid_by(TENANT, "ana")


async def test_a_model_answers_and_is_paid_what_it_used() -> None:
    purse = Purse(FIFTY, USED)
    answer = await purse.asked()
    assert (answer.answerer, answer.refused) == ("paid", False)
    assert answer.usage == USED.usage
    assert await purse.spent() == COST


async def test_when_the_cap_is_reached_the_extractive_answerer_answers() -> None:
    purse = Purse(FIFTY, USED, cap=MOST)
    answered = [(await purse.asked()) for _ in range(12)]
    by = [answer.answerer for answer in answered]
    assert by[0] == "paid"
    assert by[-1] == "extractive"
    assert sorted(by, reverse=True) == by, "once it is reached it stays reached"
    last = answered[-1]
    assert not last.refused
    assert last.citations
    assert await purse.spent() == by.count("paid") * COST <= MOST


async def test_a_person_without_money_does_not_stop_the_others() -> None:
    purse = Purse(FIFTY, USED, user=MOST)
    while (await purse.asked("ana")).answerer == "paid":
        pass
    assert (await purse.asked("bo")).answerer == "paid"
    assert (await purse.asked(None)).answerer == "paid"


async def test_questions_at_once_do_not_overspend() -> None:
    purse = Purse(FIFTY, Pause(0.01), USED, cap=3 * MOST)
    answers = await asyncio.gather(*(purse.asked(f"u{n}") for n in range(24)))
    paid = sum(answer.answerer == "paid" for answer in answers)
    assert 0 < paid < 24
    assert not any(answer.refused for answer in answers)
    assert await purse.spent() == paid * COST <= 3 * MOST


async def test_a_provider_that_refuses_the_call_costs_nothing() -> None:
    purse = Purse(AnswererError("down"))
    assert (await purse.asked()).answerer == "extractive"
    assert await purse.spent() == 0


async def test_what_was_used_is_paid_though_the_reply_was_no_good() -> None:
    purse = Purse(USED, AnswererError("no unit"))
    assert (await purse.asked()).answerer == "extractive"
    assert await purse.spent() == COST


async def test_a_call_that_was_cut_short_costs_the_most_that_it_can() -> None:
    purse = Purse(FIFTY, SEVEN, USED)
    assert await purse.drafted(most=1) == [FIFTY]
    cut = await purse.spent()
    assert cut > COST
    silent = Purse(FIFTY)  # a provider that does not say what it used
    await silent.drafted()
    assert await silent.spent() == cut


def test_the_most_is_never_less_than_it_comes_to() -> None:
    text = "żółw 👩‍👩‍👧 \u0301 " * 50  # many bytes a sign, as tokenisers split them
    assert PRICES.most([text]) > len(text.encode()) * PRICES.input + 800 * PRICES.output


# --- settings ------------------------------------------------------------------------------------


def settings_of(**given: object) -> Settings:
    return Settings.model_validate({"tenant": TENANT, **given})


async def test_the_rates_are_those_of_the_settings() -> None:
    few = {"per_s": 0.1, "burst": 2}
    quotas = make_quotas(settings_of(quotas={"anonymous": few}), None)
    await quotas.admit("192.0.2.1", named=False)
    await quotas.admit("192.0.2.2", named=False)
    with pytest.raises(QuotaError):
        await quotas.admit("192.0.2.3", named=False)
    await quotas.admit("192.0.2.3", named=True)


async def test_caps_are_in_the_unit_of_the_prices() -> None:
    daily = {"user": 0.5, "input_price": 2.0, "output_price": 8.0}
    settings = settings_of(quotas={"daily": daily})
    model = ModelSettings(base_url="http://127.0.0.1", name="m", max_output_tokens=100)
    assert Prices.of(settings.quotas.daily, model) == Prices(2.0, 8.0, 100)
    spending = make_spending(settings, None)
    assert spending is not None
    assert await spending.hold(TENANT, "ana", MILLION // 2 + 1) is None
    assert await spending.hold(TENANT, "ana", MILLION // 2) is not None
    assert make_spending(settings_of(), None) is None


@pytest.mark.parametrize(
    ("store", "url", "shared"),
    [
        ("auto", None, False),
        ("auto", "sqlite:///x.sqlite", False),
        ("auto", "postgresql+psycopg://h/d", True),
        ("memory", "postgresql+psycopg://h/d", False),
        ("database", None, True),
    ],
)
def test_where_several_processes_serve_the_database_counts(
    store: str, url: str | None, shared: bool
) -> None:
    given = settings_of(database={"url": url}, quotas={"store": store})
    assert is_shared(given, given.quotas.store) is shared


@pytest.mark.parametrize("rate", [{"per_s": 0, "burst": 1}, {"per_s": 1, "burst": 0.5}])
def test_a_rate_lets_something_through(rate: object) -> None:
    with pytest.raises(ValidationError):
        settings_of(quotas={"user": rate})
