"""The planner that needs no language model: tools by wording and meaning, values by type.

Deterministic: the same turn gives the same plan.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from typing_extensions import override

from agent.acting.answering import Heard, Reply, decided, heard
from agent.acting.asking import Put, onward
from agent.acting.choosing import Candidate, Chooser
from agent.acting.deciding import Decision, Thresholds, decide, decide_offer, shipped_starter
from agent.acting.filling import Choices, Filled, fill
from agent.acting.phrasing import Phrasing, phrasing
from agent.acting.said import Said, listen
from agent.acting.speech import Act, act_of
from agent.acting.types import (
    CannotDo,
    Dropped,
    NoAction,
    Plan,
    Planner,
    PlannerTurn,
    Slot,
    Wish,
)
from agent.acting.wanted import Kind, required, wants
from agent.acting.words import content
from agent.acting.zones import zone_of
from guardrails import Redacted
from retrieval.linear import LinearModel
from retrieval.types import Encoder
from tools.types import Manifest

_ASIDES = frozenset({Act.HOW_TO, Act.FACT, Act.STATE, Act.TOLD})
_SHORT = 2
"""Words of a question that is an answer all the same: "viewer, maybe?" """
_LONGEST = 120
"""Words of a message that may be an order. A longer one is a document, a log or a role to play;
among so many words a few always sound like some tool."""
SWITCH = 0.6
"""Likeness from which an order for another tool is one, while a question is open. Higher than for a
fresh order: most of what is said then answers the question."""


@dataclass(frozen=True, slots=True)
class Understood:
    """Values that extractors read for one tool, with what they read them from."""

    said: Said
    choices: Choices
    slots: Mapping[str, Slot]


class TypedPlanner(Planner):
    """`encoder` is the one of the index; any serves, one that only hashes words less well."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        model: LinearModel | None = None,
        thresholds: Thresholds | None = None,
    ) -> None:
        self._chooser = Chooser(encoder, model)
        self._starter = shipped_starter()
        self._at = thresholds or Thresholds()

    @property
    @override
    def name(self) -> str:
        return "typed"

    async def warm(self, tools: Sequence[Manifest]) -> None:
        """Reads the tools before somebody waits for it: seconds for a hundred of them."""
        await asyncio.to_thread(self._chooser.profiles_of, tools)

    @override
    async def plan(self, turn: PlannerTurn) -> Plan:
        words = phrasing(turn.locale)
        said = _listened(turn, turn.text)
        tools = {tool.name: tool for tool in turn.tools}
        if turn.wish is not None and turn.wish.tool in tools:
            reply = Reply(turn, turn.wish, tools[turn.wish.tool], said, words)
            return await self._go_on(reply)
        if turn.offered in tools:
            started = await self._accepted(turn, tools[turn.offered], words)
            if started is not None:
                return started
        return await self._fresh(turn, said, words)

    @override
    async def offer(self, question: Redacted, tools: tuple[Manifest, ...]) -> str | None:
        """Reads no values: the question may come from a page without a conversation."""
        asked = _without_asking(question, phrasing("en"))
        said = listen(asked, {}, datetime(1970, 1, 1, tzinfo=UTC))
        candidates = await self._chooser.candidates(said, phrasing("en"), tools, None)
        best = decide_offer(candidates, self._at)
        return None if best is None else best.manifest.name

    async def decision(self, turn: PlannerTurn, said: Said, words: Phrasing) -> Decision:
        """What the turn asks for when nothing is open."""
        act = act_of(said.text, words)
        candidates = await self._chooser.candidates(said, words, turn.tools, turn.lookup)
        return decide(act, candidates, self._at, self._starter)

    async def likeliest(self, turn: PlannerTurn, most: int) -> tuple[Manifest, ...]:
        """Tools of the turn, the likeliest first; that of an open wish is always among them."""
        ranked = await self._chooser.ranked(turn.text, turn.tools)
        name = turn.wish.tool if turn.wish else None
        first = sorted(ranked, key=lambda tool: tool.name != name)
        return tuple(first[:most])

    async def understood(self, turn: PlannerTurn, tool: Manifest) -> Understood:
        """What the turn says of one tool's arguments."""
        words, said = phrasing(turn.locale), _listened(turn, turn.text)
        choices = await self._chooser.choices(tool, turn.lookup)
        filled = fill(tool, said, words, choices)
        return Understood(said, choices, _slots(filled, tool))

    async def _fresh(self, turn: PlannerTurn, said: Said, words: Phrasing) -> Plan:
        if len(said.words) > _LONGEST:
            return NoAction()
        decision = await self.decision(turn, said, words)
        if decision.start is not None:
            return await _started(decision.start, turn, words)
        if decision.asked and decision.near:
            return CannotDo(tuple(c.manifest.title for c in decision.near))
        return NoAction()

    async def _go_on(self, reply: Reply) -> Plan:
        """An answer, a correction, a word to stop; or something else, which leaves the wish."""
        plan = await decided(reply)
        if plan is not None:
            return plan
        found = await heard(reply)
        other = await self._another(reply, found)
        if other is not None:
            return other
        act = act_of(reply.said.text, reply.words)
        asks = act in _ASIDES and not _short(reply.said)
        idle = act is Act.SOCIAL and found is not None and not found.sure
        if found is None or asks or idle or (not found.slots and _aside(reply)):
            return NoAction()
        slots = {**reply.wish.slots, **found.slots}
        wish = replace(reply.wish, slots=slots, confirming=_confirmed(reply, found))
        return await onward(wish, reply.manifest, reply.turn, reply.words, found.put)

    async def _another(self, reply: Reply, found: Heard | None) -> Plan | None:
        """A wish for something else, put as an order: it takes the place of the open one."""
        act = act_of(reply.said.text, reply.words)
        if act is not Act.ORDER or len(reply.said.words) < 2 or (found and found.sure):  # noqa: PLR2004
            return None
        turn = replace(reply.turn, wish=None, offered=None)
        decision = await self.decision(turn, reply.said, reply.words)
        start = decision.start
        if start is None or start.manifest.name == reply.wish.tool:
            return None
        if start.scored.likeness < SWITCH:
            return None
        return await _started(start, turn, reply.words)

    async def _accepted(self, turn: PlannerTurn, tool: Manifest, words: Phrasing) -> Plan | None:
        """A yes to what the last answer offered, with what the question before it said."""
        head = re.match(rf"(?:{words.hear['yes'].pattern})(?=[\s,.!]|$)", turn.text, re.IGNORECASE)
        if words.hears("no", turn.text) or words.hears("cancel", turn.text):
            return Dropped(Wish(tool.name))
        if not words.hears("yes", turn.text) and not head:
            return None
        asked = next((u.text for u in reversed(turn.history) if u.role == "user"), "")
        slots: dict[str, Slot] = {}
        for text in (asked, turn.text):
            said = _listened(turn, text)
            choices = await self._chooser.choices(tool, turn.lookup)
            slots |= _slots(fill(tool, said, words, choices), tool)
        return await onward(Wish(tool.name, slots), tool, turn, words)


def _listened(turn: PlannerTurn, text: str) -> Said:
    return listen(text, {h.token: h for h in turn.held}, turn.now, zone_of(turn.facts))


async def _started(chosen: Candidate, turn: PlannerTurn, words: Phrasing) -> Plan:
    wish = Wish(chosen.manifest.name, _slots(chosen.filled, chosen.manifest))
    torn, put = _torn(chosen, words)
    return await onward(replace(wish, asked=torn), chosen.manifest, turn, words, put)


def _torn(chosen: Candidate, words: Phrasing) -> tuple[str | None, Put | None]:
    """The argument for which several values were named, and how that is said."""
    for name, found in chosen.filled.torn.items():
        if name in required(chosen.manifest, {}):
            named = ", ".join(str(f.value) for f in found)
            is_member = chosen.scored.profile.wants[name].kind is Kind.ENUM
            return name, Put(words.say("different", values=named)) if is_member else None
    return None, None


def _slots(filled: Filled, tool: Manifest) -> Mapping[str, Slot]:
    """Values that are trusted enough for their argument; others have to be asked for."""
    wanted = wants(tool)
    return {
        name: Slot(found.value, found.integrity, found.origin)
        for name, found in filled.found.items()
        if found.integrity >= wanted[name].argument.integrity
    }


def _short(said: Said) -> bool:
    return len(content(said.text)) + len(said.mentions) <= _SHORT


def _aside(reply: Reply) -> bool:
    """Thanks and the like, while a question is open."""
    return reply.wish.asked is None


def _confirmed(reply: Reply, found: Heard) -> bool:
    """What the user corrected is theirs; what else was inferred has been seen."""
    return reply.wish.confirming and bool(found.slots)


def _without_asking(question: Redacted, words: Phrasing) -> str:
    """`how do I connect Stripe?` -> `connect Stripe?`"""
    return words.speech["how_to"].sub("", question, count=1).strip() or question
