"""RunEvent -> AG-UI: what leaves, in which order, and that every frame is the protocol's."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from ag_ui.core import BaseEvent, Event, EventType
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from agent.stream import EMITTED, ERROR_CODES, PublicState, Translator, wire_citation
from agent.types import (
    Answer,
    MessageDelta,
    MessageFinished,
    MessageStarted,
    Refusal,
    Retrieved,
    RunEvent,
    RunFailed,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
)
from retrieval.types import ChunkId, Citation

WIRE: TypeAdapter[BaseEvent] = TypeAdapter(Event)
SECRET_KEYS = {"rawEvent", "retrieved", "usageMetadata", "timings", "timings_ms", "index_version"}


def page_url(citation: Citation) -> str:
    return f"/pages/{citation.path}"


def citation(marker: int = 1, **changes: Any) -> Citation:
    values: dict[str, Any] = {
        "id": f"c{marker}",
        "marker": marker,
        "chunk_id": ChunkId("guides/invite#3"),
        "path": "guides/invite.md",
        "title": "Invite teammates",
        "anchor": "invite",
        "quote": "Admins can invite up to 50 people at once.",
        "doc_version": "2026-11-02",
        "index_version": "docs__x_1",
    }
    return Citation(**(values | changes))


def answer(*citations: Citation, reason: Refusal | None = None) -> Answer:
    return Answer(
        text="Admins can invite up to 50 people at once [1].",
        refused=reason is not None,
        reason=reason,
        confidence=0.91234567,
        citations=citations,
        retrieved=tuple(Retrieved(ChunkId(f"{p}#0"), f"{p}.md", 0.5) for p in "aabcd"),
        index_version="docs__x_1",
        answerer="extractive",
        timings_ms={"retrieve": 3.0},
        usage={"input_tokens": 10, "output_tokens": 5},
        looked_for="How do I bake bread" if reason else "",
    )


def wire(events: Iterable[RunEvent]) -> list[dict[str, Any]]:
    translator = Translator(page_url)
    frames = [frame for event in events for frame in translator.translate(event)]
    return [json.loads(frame.model_dump_json(by_alias=True)) for frame in frames]


def run_of(*inner: RunEvent) -> list[RunEvent]:
    return [RunStarted("th1", "r1"), *inner, RunFinished("th1", "r1")]


def test_an_answer_reads_as_the_transcript_has_it() -> None:
    said = "Admins can invite up to 50 people at once [1]."
    frames = wire(
        run_of(
            StepStarted("retrieve"),
            StepFinished("retrieve"),
            MessageStarted("m1"),
            MessageDelta("m1", said),
            MessageFinished("m1", answer(citation())),
        )
    )
    assert [frame["type"] for frame in frames] == [
        "RUN_STARTED",
        "STATE_SNAPSHOT",
        "STEP_STARTED",
        "STEP_FINISHED",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "RUN_FINISHED",
    ]
    assert frames[0] == {
        "type": "RUN_STARTED",
        "threadId": "th1",
        "runId": "r1",
        "protocolVersion": "1.0",
    }
    assert frames[5] == {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m1", "delta": said}
    assert frames[6]["metadata"]["citations"] == [
        {
            "id": "c1",
            "marker": 1,
            "chunkId": "guides/invite#3",
            "url": "/pages/guides/invite.md#invite",
            "title": "Invite teammates",
            "docVersion": "2026-11-02",
            "quote": "Admins can invite up to 50 people at once.",
        }
    ]
    assert frames[7] == {
        "type": "RUN_FINISHED",
        "threadId": "th1",
        "runId": "r1",
        "outcome": {"type": "success"},
        "usage": [{"model": "extractive", "inputTokens": 10, "outputTokens": 5}],
    }


def test_state_is_a_public_projection_and_nothing_else() -> None:
    snapshot = wire([RunStarted("t", "r")])[1]["snapshot"]
    named = {"checklist", "nextActions", "question", "tour", "handoff", "locale", "consent"}
    assert set(snapshot) == named
    translator = Translator(page_url, PublicState(locale="de", consent={"memory": True}))
    state = translator.translate(RunStarted("t", "r"))[1].model_dump(by_alias=True)
    assert (state["snapshot"]["locale"], state["snapshot"]["consent"]) == ("de", {"memory": True})


def test_a_refusal_says_why_what_was_near_and_offers_a_person() -> None:
    frames = wire(
        run_of(MessageStarted("m"), MessageFinished("m", answer(reason=Refusal.NO_EVIDENCE)))
    )
    ended, abstained = frames[3:5]
    assert ended["metadata"] == {
        "citations": [],
        "confidence": 0.9123,
        "refused": True,
        "reason": "no_evidence",
    }
    assert abstained["activityType"] == "embark.abstained"
    assert abstained["content"] == {
        "reason": "no_evidence",
        "lookedFor": "How do I bake bread",
        "nearest": ["a.md", "b.md", "c.md"],
        "confidence": 0.9123,
        "offer": {"kind": "person"},
    }


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, "/pages/guides/invite.md#invite"),
        ({"anchor": None}, "/pages/guides/invite.md"),
        ({"url": "https://docs.example.com/i"}, "https://docs.example.com/i#invite"),
        ({"url": "https://docs.example.com/i#top"}, "https://docs.example.com/i#top"),
        ({"url": "https://docs.example.com/i", "anchor": None}, "https://docs.example.com/i"),
    ],
)
def test_a_citation_opens_on_its_heading(changes: dict[str, Any], url: str) -> None:
    assert wire_citation(citation(**changes), page_url)["url"] == url


@pytest.mark.parametrize("code", sorted(ERROR_CODES))
def test_error_codes_pass_as_they_are(code: str) -> None:
    assert wire([RunFailed(code, "m")]) == [{"type": "RUN_ERROR", "code": code, "message": "m"}]


def test_an_unknown_error_code_does_not_reach_the_wire() -> None:
    assert wire([RunFailed("ZeroDivisionError", "m")])[0]["code"] == "internal"


def test_only_eighteen_event_types_may_ever_leave() -> None:
    assert len(EMITTED) == 18
    assert EventType.RAW not in EMITTED
    assert not any(kind.value.startswith(("REASONING", "SUBAGENT")) for kind in EMITTED)
    assert not any(kind.value.endswith("_CHUNK") for kind in EMITTED)


# --- any run ----------------------------------------------------------------------------------

texts = st.text(max_size=60)
ids = st.text(min_size=1, max_size=12)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    reason = draw(st.none() | st.sampled_from(Refusal))
    cited = draw(st.lists(st.builds(citation, st.integers(1, 9), quote=texts, title=texts)))
    return answer(*cited, reason=reason)


@st.composite
def runs(draw: st.DrawFn) -> list[RunEvent]:
    events: list[RunEvent] = [RunStarted(draw(ids), draw(ids))]
    for step in draw(st.lists(st.sampled_from(["retrieve", "ground", "answer"]), unique=True)):
        events += [StepStarted(step), StepFinished(step)]
    for name in draw(st.lists(ids, unique=True, max_size=3)):
        deltas = [MessageDelta(name, text) for text in draw(st.lists(texts, max_size=5))]
        events += [MessageStarted(name), *deltas, MessageFinished(name, draw(answers()))]
    started = events[0]
    assert isinstance(started, RunStarted)
    cut = draw(st.none() | st.integers(1, len(events)))
    if cut is None:
        return [*events, RunFinished(started.thread_id, started.run_id)]
    return [*events[:cut], RunFailed(draw(st.sampled_from(sorted(ERROR_CODES))), draw(texts))]


@given(runs())
def test_every_run_is_well_formed(events: list[RunEvent]) -> None:
    frames = wire(events)
    kinds = [frame["type"] for frame in frames]
    assert kinds[0] == "RUN_STARTED"
    assert kinds[-1] in {"RUN_FINISHED", "RUN_ERROR"}
    assert sum(kind in {"RUN_STARTED", "RUN_FINISHED", "RUN_ERROR"} for kind in kinds) == 2
    open_messages: set[str] = set()
    for frame in frames:
        match frame["type"]:
            case "TEXT_MESSAGE_START":
                open_messages.add(frame["messageId"])
            case "TEXT_MESSAGE_CONTENT":
                assert frame["messageId"] in open_messages
            case "TEXT_MESSAGE_END":
                open_messages.remove(frame["messageId"])
    assert not open_messages or kinds[-1] == "RUN_ERROR"


@given(runs())
def test_every_frame_is_the_protocols_own_and_leaks_nothing(events: list[RunEvent]) -> None:
    for frame in wire(events):
        model = WIRE.validate_python(frame)
        assert model.type in EMITTED
        assert not model.model_extra
        assert not SECRET_KEYS & set(_keys(frame))


@given(runs())
def test_deltas_concatenate_to_what_was_said(events: list[RunEvent]) -> None:
    said = [event.text for event in events if isinstance(event, MessageDelta)]
    deltas = [f["delta"] for f in wire(events) if f["type"] == "TEXT_MESSAGE_CONTENT"]
    assert deltas == said


def _keys(value: object) -> Iterable[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)
