from __future__ import annotations

import pytest

from agent import Answerer, AnswererError
from agent.answerers.scripted import Pause, ScriptedAnswerer
from agent.types import Block, Draft, Spent
from guardrails import literal
from tests.agent.shelf import passages
from tests.contracts.answerer import QUESTION, AnswererContract

FIFTY = Draft(literal("Admins can invite up to 50 people at once."), (1,))
STEP = Draft(literal("Click Invite people."), (1,), Block.STEP)


class TestScriptedAnswerer(AnswererContract):
    @pytest.fixture
    def answerer(self) -> Answerer:
        return ScriptedAnswerer((FIFTY, Pause(0), STEP, Spent({"output_tokens": 2})))


async def test_an_error_in_the_script_is_raised_in_its_place() -> None:
    answerer = ScriptedAnswerer((FIFTY, AnswererError("cut", partial=True), STEP))
    drafts = answerer.draft(QUESTION, passages(0), ())
    assert await anext(drafts) == FIFTY
    with pytest.raises(AnswererError, match="cut"):
        await anext(drafts)
