"""What onboarding tells a conversation: next steps, how far a person is, what went wrong lately.

The engine stands in `onboarding`; the conversation only reads, through this seam.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from pydantic import JsonValue

from agent.action_types import ToolEnded
from agent.types import RunEvent, StandingShown
from guardrails.labels import Labelled
from tools.types import Actor

LAST_WAIT_S = 1.0
"""How long the end of a run waits for what onboarding says: the answer matters more."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """A card, in the reader's language. `tool` does it, `opens` is a page of the product where it
    is done by hand; `effort` is 1 to 5. `alternatives` are actions of another kind. `arguments` are
    preselected for the tool and may be changed; those that are `personal` were read for this reader
    alone and are kept nowhere. `evidence` are ids of the events behind `why`."""

    decision: str
    action: str
    title: str
    why: str
    effort: int
    minutes: int | None = None
    tool: str | None = None
    opens: str | None = None
    alternatives: tuple[str, ...] = ()
    arguments: Mapping[str, JsonValue] = field(default_factory=dict)
    personal: Mapping[str, JsonValue] = field(default_factory=dict, repr=False)
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListedStep:
    """A line of the checklist. `state` is blocked, open, done or skipped; `scope` user or account;
    `colleague` when somebody else of the account has done it."""

    id: str
    title: str
    state: str
    effort: int
    scope: str = "user"
    colleague: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """The one thing that would help most to know, in the reader's language, with why. `session`
    goes back with the reply; `offered` is the value that they are asked to confirm; `choices` are
    values and their words. It may be left, for now or for good."""

    id: str
    session: str
    fact: str
    asks: str
    why: str
    choices: Mapping[str, str]
    offered: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a person stands. `share` is effort done / effort required, `minutes_left` the sum of
    what others took; `curated` when the cards stand in the journey's own order."""

    journey: str | None = None  # name@version
    title: str = ""
    checklist: tuple[ListedStep, ...] = ()
    cards: tuple[NextStep, ...] = ()
    share: float = 0.0
    minutes_left: int | None = None
    mode: str = "simple"
    reached: bool = False
    curated: bool = True
    question: Question | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error that the product reported of this person: codes and names from its contract."""

    event: str
    at: datetime
    code: str | None = None
    about: str | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """What router, planner and answerers may know: `facts` for slots, newest trouble first."""

    facts: Mapping[str, Labelled[JsonValue]] = field(default_factory=dict)
    troubles: tuple[Trouble, ...] = ()


class Guide(Protocol):
    """Neither raises: what cannot be known now, or may not be used, is left out."""

    async def standing(self, actor: Actor, locale: str) -> Standing | None:
        """None when this person is not guided: nothing is set up, or they did not agree."""
        ...

    async def situation(self, actor: Actor) -> Situation: ...

    async def reply(self, actor: Actor, question: str, session: str, value: str | None) -> bool:
        """What was answered; None leaves the question. False where it is not open any more, or
        cannot be kept now."""
        ...


class Watch:
    """Tells the reader of one run where the person stands: early, without holding up the answer,
    and again at the end when the run has changed it."""

    def __init__(self, guide: Guide | None, actor: Actor | None, locale: str) -> None:
        self._ask = None if guide is None or actor is None else (guide, actor, locale)
        self._told: Standing | None = None
        self._asking: asyncio.Task[Standing | None] | None = None
        self._changed = False
        self._begin()

    def ready(self) -> StandingShown | None:
        """What came since the last call."""
        asking = self._asking
        if asking is None or not asking.done():
            return None
        self._asking = None
        return self._news(asking.result())

    def note(self, event: RunEvent) -> None:
        """What was done may have moved the person on."""
        self._changed |= isinstance(event, ToolEnded)

    async def last(self) -> StandingShown | None:
        """What is still to be told when the answer is complete."""
        if self._changed:
            await self.aclose()
            self._begin()
        if self._asking is None:
            return None
        await asyncio.wait({self._asking}, timeout=LAST_WAIT_S)
        return self.ready()

    async def aclose(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            with suppress(asyncio.CancelledError):
                await self._asking
            self._asking = None

    def _begin(self) -> None:
        if self._ask is not None:
            guide, actor, locale = self._ask
            self._asking = asyncio.create_task(guide.standing(actor, locale), name="standing")

    def _news(self, found: Standing | None) -> StandingShown | None:
        if found is None or found == self._told:
            return None
        self._told = found
        return StandingShown(wire_checklist(found), wire_cards(found), wire_question(found))


def wire_checklist(standing: Standing) -> tuple[dict[str, Any], ...]:
    """Of the public state: field names as on the wire."""
    return tuple(
        {
            "id": each.id,
            "title": each.title,
            "done": each.state == "done",
            "state": each.state,
            "effort": each.effort,
            "scope": each.scope,
            "colleague": each.colleague,
        }
        for each in standing.checklist
    )


def wire_cards(standing: Standing) -> tuple[dict[str, Any], ...]:
    """Of the public state, and of `embark.next_actions`; it is kept, so that nobody is named."""
    return tuple(
        {
            "id": f"{card.decision}.{card.action}",
            "decision": card.decision,
            "action": card.action,
            "title": card.title,
            "why": card.why,
            "effort": card.effort,
            "minutes": card.minutes,
            "tool": card.tool,
            "opens": card.opens,
            "alternatives": list(card.alternatives),
            "arguments": dict(card.arguments),
            "canSnooze": True,
            "optOutKey": card.action,
        }
        for card in standing.cards
    )


def wire_question(standing: Standing) -> dict[str, Any] | None:
    """Of the public state, and of `embark.next_actions`."""
    question = standing.question
    if question is None:
        return None
    return {
        "id": question.id,
        "session": question.session,
        "fact": question.fact,
        "asks": question.asks,
        "why": question.why,
        "offered": question.offered,
        "choices": [{"value": v, "label": label} for v, label in question.choices.items()],
    }
