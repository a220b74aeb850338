"""What a refusal says that it looked for: on the page, on the wire and in the record."""

from __future__ import annotations

import pytest

from agent import Answer, Ask, Copilot, Refusal
from agent.refusals import LONGEST_TOPIC, topic_of
from agent.types import MessageFinished
from guardrails import stored
from tests.agent.shelf import SCOPE, TENANT, deps


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("How do I bake sourdough bread?", "How do I bake sourdough bread"),
        ("![x](http://e.example) `rm`  | #1?!", "x http://e.example rm 1"),
        ("where is <EMAIL_1>?", "where is <EMAIL_1>"),
    ],
)
def test_the_topic_holds_nothing_that_a_page_renders(question: str, topic: str) -> None:
    assert topic_of(stored(question)) == topic


def test_a_long_topic_is_cut() -> None:
    topic = topic_of(stored("why " * 200))
    assert len(topic) <= LONGEST_TOPIC
    assert topic.endswith("\u2026")


async def asked(copilot: Copilot, number: int, text: str) -> Answer:
    request = Ask(TENANT, "t1", f"r{number}", f"m{number}", text, SCOPE)
    events = [numbered.event async for numbered in copilot.ask(request)]
    (finished,) = [event for event in events if isinstance(event, MessageFinished)]
    return finished.answer


async def test_a_follow_up_is_refused_as_the_question_that_it_stands_for() -> None:
    copilot = Copilot(deps())
    await asked(copilot, 1, "How do I set up zebras with bob@example.com?")
    answer = await asked(copilot, 2, "and for xylophones?")
    assert answer.refused
    assert "zebras" in answer.looked_for
    assert "xylophones" in answer.looked_for
    assert "bob" not in answer.looked_for
    assert answer.looked_for in answer.text
    kept = await copilot.conversation(TENANT, "t1")
    assert kept is not None
    assert kept.messages[-1].decision["looked_for"] == answer.looked_for


async def test_only_a_refusal_was_looked_for_in_vain() -> None:
    copilot = Copilot(deps())
    greeting = await copilot.answer("hello!", SCOPE)
    action = await copilot.answer("invite bob@example.com please", SCOPE)
    assert (greeting.looked_for, action.looked_for) == ("", "")
    assert action.reason is Refusal.OUT_OF_SCOPE
