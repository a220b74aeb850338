"""What every answerer does, whether it copies, generates or recites."""

from __future__ import annotations

from agent import Answerer
from agent.types import Block, Draft, Spent, Utterance
from agent.verification import Verifier
from guardrails import literal
from tests.agent.shelf import evidence, grounding, passages

QUESTION = literal("How many people can admins invite at once?")
HISTORY = (
    Utterance("user", literal("How do I export a dashboard?")),
    Utterance("assistant", literal("A dashboard can be exported as PDF [1].")),
)


async def drafted(answerer: Answerer, *which: int) -> list[Draft]:
    drafts = answerer.draft(QUESTION, passages(*which), HISTORY)
    return [item async for item in drafts if isinstance(item, Draft)]


class AnswererContract:
    """Inherit, and give a fixture `answerer` that can answer `QUESTION` from page 0."""

    def test_it_has_a_name(self, answerer: Answerer) -> None:
        assert answerer.name.strip() == answerer.name != ""

    async def test_without_passages_it_says_nothing(self, answerer: Answerer) -> None:
        assert await drafted(answerer) == []

    async def test_every_unit_names_passages_that_were_given(self, answerer: Answerer) -> None:
        drafts = await drafted(answerer, 0, 1)
        assert drafts
        for draft in drafts:
            assert draft.text.strip()
            assert set(draft.markers) <= {1, 2}
            assert draft.markers

    async def test_a_quote_is_text_of_the_first_cited_passage(self, answerer: Answerer) -> None:
        given = passages(0, 1)
        for draft in await drafted(answerer, 0, 1):
            if draft.quote is not None:
                assert draft.quote in given[draft.markers[0] - 1].chunk.text

    async def test_what_it_drafts_survives_verification(self, answerer: Answerer) -> None:
        check = Verifier(grounding(), evidence(0, 1))
        units = [unit for draft in await drafted(answerer, 0, 1) for unit in check.check(draft)]
        assert any("50 people" in unit.text for unit in units)
        assert not check.dropped

    async def test_text_carries_no_markers_of_its_own(self, answerer: Answerer) -> None:
        for draft in await drafted(answerer, 0, 1):
            assert draft.block in {Block.CODE, Block.TABLE} or "[1]" not in draft.text

    async def test_two_questions_at_once_do_not_mix(self, answerer: Answerer) -> None:
        first = answerer.draft(QUESTION, passages(0), ())
        second = answerer.draft(QUESTION, passages(0), ())
        one, two = [], []
        async for item in first:
            one.append(item)
            async for other in second:
                two.append(other)
                break
        two += [other async for other in second]
        assert one == two

    async def test_what_it_spent_comes_at_most_once(self, answerer: Answerer) -> None:
        drafts = answerer.draft(QUESTION, passages(0), ())
        spent = [item async for item in drafts if isinstance(item, Spent)]
        assert len(spent) <= 1
        assert all(count >= 0 for item in spent for count in item.usage.values())
