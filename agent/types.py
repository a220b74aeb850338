"""The vocabulary of a conversation: turn, route, draft, answer, and the events of a run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Protocol

from agent.action_types import (
    ActionMark,
    CardShown,
    ChoiceShown,
    Progressed,
    RunPaused,
    ToolCalled,
    ToolEnded,
)
from guardrails import Redacted
from retrieval.types import ChunkId, Citation, Passage, Scope
from tools.types import Actor, Arguments


class RouteKind(StrEnum):
    """Which kind of turn this is."""

    QUESTION = "question"
    ACTION = "action"
    PROGRESS = "progress"
    SMALL_TALK = "small_talk"
    HANDOVER = "handover"


class Refusal(StrEnum):
    """Why there is no answer: stable codes of the wire and of `ask --batch`."""

    NO_EVIDENCE = "no_evidence"  # nothing was found at all
    LOW_CONFIDENCE = "low_confidence"  # calibrated confidence below the threshold
    NOT_SUPPORTED = "not_supported"  # no drafted sentence survived verification
    OUT_OF_SCOPE = "out_of_scope"  # an action or request that Embark cannot do
    UPSTREAM = "upstream_unavailable"  # index or model did not answer


class Block(StrEnum):
    """How a released unit stands on the page."""

    SENTENCE = "sentence"
    STEP = "step"  # item of an ordered list
    ITEM = "item"  # item of a bullet list
    CODE = "code"  # fenced code, text without the fence
    TABLE = "table"  # Markdown table, whole
    HEADING = "heading"  # short lead-in taken from the page's own heading


@dataclass(frozen=True, slots=True)
class Utterance:
    """One earlier message, redacted. `role` is `user` or `assistant`."""

    role: str
    text: Redacted


@dataclass(frozen=True, slots=True)
class Turn:
    """What the graph is asked: the user's words, redacted, and what was said before."""

    tenant: str
    thread_id: str
    run_id: str
    message_id: str
    text: Redacted
    scope: Scope
    history: tuple[Utterance, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """Kind of turn, and the question as it stands alone once the conversation is added."""

    kind: RouteKind
    question: Redacted


@dataclass(frozen=True, slots=True)
class Draft:
    """One unit that an answerer proposes: text without `[n]`, and the passages it rests on.

    `markers` are 1-based positions in the passages given to the answerer. `quote` is the verbatim
    text of the first cited chunk that carries the claim; None lets the verifier find it.
    """

    text: Redacted
    markers: tuple[int, ...]
    block: Block = Block.SENTENCE
    quote: Redacted | None = None
    language: str | None = None  # of a code block


@dataclass(frozen=True, slots=True)
class Spent:
    """What a draft cost: token counts by name, and the malformed units that the model wrote."""

    usage: Mapping[str, int]
    malformed: int = 0


class Answerer(Protocol):
    """Passages to drafted units, streamed. Holds no tools. Raises AnswererError when it cannot.

    A `Spent` may come at any point of the stream, at most once, and carries no text.
    """

    @property
    def name(self) -> str:
        """Goes into the decision record: `extractive`, or the model's name."""
        ...

    def draft(
        self, question: Redacted, passages: Sequence[Passage], history: Sequence[Utterance]
    ) -> AsyncIterator[Draft | Spent]: ...


class AnswererError(Exception):
    """The model did not answer, or answered nonsense; `partial` when some drafts had been given."""

    def __init__(self, message: str, *, partial: bool = False) -> None:
        super().__init__(message)
        self.partial = partial


@dataclass(frozen=True, slots=True)
class Retrieved:
    """One line of what was looked at, shown also when the answer is refused."""

    chunk_id: ChunkId
    path: str
    score: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished answer or refusal: `text` is what the user sees, with `[n]` markers."""

    text: str
    refused: bool
    reason: Refusal | None
    confidence: float  # calibrated probability that the evidence answers the question
    citations: tuple[Citation, ...]
    retrieved: tuple[Retrieved, ...]
    index_version: str | None
    answerer: str
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    usage: Mapping[str, int] = field(default_factory=dict)
    dropped: int = 0  # drafted sentences that verification did not let through
    looked_for: str = ""  # of a refusal: the question as it stands alone, redacted
    actions: tuple[ActionMark, ...] = ()  # what was proposed or reported with it
    offer: str | None = None  # the tool that a plain "yes" starts
    choices: tuple[ChoiceShown, ...] = ()  # to pick from; on screen only, never stored
    escalated: bool = False  # a person was asked for
    paused: bool = False  # the run waits for the user's word on the last of `actions`


# --- the events of a run, in order; `agent/stream.py` turns them into AG-UI -------------------


@dataclass(frozen=True, slots=True)
class RunStarted:
    thread_id: str
    run_id: str


@dataclass(frozen=True, slots=True)
class StepStarted:
    step: str  # retrieve | ground | answer | plan | act


@dataclass(frozen=True, slots=True)
class StepFinished:
    step: str


@dataclass(frozen=True, slots=True)
class MessageStarted:
    message_id: str


@dataclass(frozen=True, slots=True)
class MessageDelta:
    """Verified text only, Markdown, separators included: the deltas concatenate to the answer."""

    message_id: str
    text: str


@dataclass(frozen=True, slots=True)
class MessageFinished:
    message_id: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class StandingShown:
    """Where the person stands, as the public state has it: checklist, cards, and what they are
    asked."""

    checklist: tuple[Mapping[str, Any], ...]
    cards: tuple[Mapping[str, Any], ...]
    question: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class StepsShown:
    """Next steps as part of the conversation, under the message that speaks of them."""

    message_id: str
    cards: tuple[Mapping[str, Any], ...]
    question: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RunFinished:
    thread_id: str
    run_id: str


@dataclass(frozen=True, slots=True)
class RunFailed:
    """`code` is one of the error codes of the wire protocol."""

    code: str
    message: str


RunEvent = (
    RunStarted
    | StepStarted
    | StepFinished
    | MessageStarted
    | MessageDelta
    | MessageFinished
    | ToolCalled
    | CardShown
    | Progressed
    | ToolEnded
    | StandingShown
    | StepsShown
    | RunFinished
    | RunPaused
    | RunFailed
)


# --- what a Copilot is asked, and what it sends ------------------------------------------------


@dataclass(frozen=True, slots=True)
class CardAnswer:
    """The user's word on one card. `verdict` `drop` takes the card back without judging it."""

    action_id: str
    verdict: Literal["approve", "deny", "drop"]
    edited: Arguments | None = None  # arguments to change first; a new card comes of it
    digest: str | None = None  # of the card that was seen; None: of the one announced
    always: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """A user's message as it arrives: raw text, ids made by the server or checked by it.

    The same `message_id` in the same thread is the same question: it is answered once. With
    `resume` the turn answers cards instead of asking, and `text` is empty. Without an `actor`
    nobody is signed in: answers only.
    """

    tenant: str
    thread_id: str
    run_id: str
    message_id: str
    text: str
    scope: Scope
    actor: Actor | None = None
    resume: tuple[CardAnswer, ...] = ()


class Numbered(NamedTuple):
    """A run event and its number: numbers rise within a thread, over all of its runs."""

    number: int
    event: RunEvent
