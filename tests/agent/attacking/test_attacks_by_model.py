"""The share of the two thousand attacks that a hostile model makes, by its calls and its words."""

from __future__ import annotations

from tests.agent.attacking.cases import Route
from tests.agent.attacking.test_attacks import survived


async def test_nothing_is_done_by_the_calls_of_a_hostile_model() -> None:
    await survived(Route.MODEL)


async def test_nothing_but_the_pages_is_said_by_a_hostile_model_or_answerer() -> None:
    await survived(Route.READER, Route.WRITER)
