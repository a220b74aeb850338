"""A wish -> the one question to put next, or the complete call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from agent.acting.filling import problem_with
from agent.acting.phrasing import Phrasing
from agent.acting.types import AskFor, Choice, Lookup, Plan, PlannerTurn, Ready, Slot, Wish
from agent.acting.wanted import Kind, Want, required, wants
from guardrails import sanitise
from guardrails.labels import Integrity, Labelled
from guardrails.pseudonyms import TOKEN
from tools.types import Manifest

MOST_CHOICES = 12
"""So many are listed in a question; more are found by name."""


@dataclass(frozen=True, slots=True)
class Put:
    """What a question says beside itself: why it comes again, and what to pick from."""

    problem: str = ""
    choices: tuple[Choice, ...] = ()


async def onward(
    wish: Wish, manifest: Manifest, turn: PlannerTurn, words: Phrasing, put: Put | None = None
) -> Plan:
    """Asks for the first argument that must be there and is not, then confirms what was inferred.

    `put` belongs to a question that is asked again.
    """
    wish = await _inferred(wish, manifest, turn, words)
    values = {name: slot.value for name, slot in wish.slots.items()}
    missing = [name for name in required(manifest, values) if name not in wish.slots]
    again = wish.asked if wish.asked in missing else None
    if missing:
        asked = again or missing[0]
        own = put if put and asked == wish.asked else None
        return await _ask(replace(wish, asked=asked, confirming=False), manifest, turn, words, own)
    unsure = [name for name, slot in wish.slots.items() if slot.origin]
    if unsure and turn.may_ask and not wish.confirming:
        return _confirm(replace(wish, asked=None, confirming=True), manifest, words, unsure)
    return Ready(replace(wish, asked=None, confirming=False))


async def _inferred(wish: Wish, manifest: Manifest, turn: PlannerTurn, words: Phrasing) -> Wish:
    slots = dict(wish.slots)
    for name, want in wants(manifest).items():
        if name in slots or name == wish.asked:
            continue
        slot = _from_facts(want, turn.facts)
        if slot is None and name in required(manifest, {}):
            slot = await _only(want, wish.tool, turn, words)
        if slot is not None:
            slots[name] = slot
    return replace(wish, slots=slots)


def _from_facts(want: Want, facts: Mapping[str, Labelled[JsonValue]]) -> Slot | None:
    """A fact that is trusted enough for the argument, and may stand there."""
    fact = facts.get(want.argument.fill) if want.argument.fill else None
    if fact is None or fact.value is None or fact.integrity < want.argument.integrity:
        return None
    if not want.many and problem_with(fact.value, want) is not None:
        return None
    return Slot(fact.value, fact.integrity, fact.source or want.argument.fill)


async def _only(want: Want, tool: str, turn: PlannerTurn, words: Phrasing) -> Slot | None:
    if want.argument.choices is None or want.argument.integrity > Integrity.USER_TYPED:
        return None
    there = () if want.many else await turn.lookup.choices(tool, want.name)
    if len(there) != 1:
        return None
    return Slot(there[0].value, Integrity.USER_TYPED, words.say("only_one"))


async def _ask(
    wish: Wish, manifest: Manifest, turn: PlannerTurn, words: Phrasing, put: Put | None
) -> AskFor:
    name = wish.asked
    if name is None:
        raise ValueError("there is nothing to ask about")
    want = wants(manifest)[name]
    put = put or Put()
    return AskFor(
        wish=wish,
        argument=name,
        question=question(want, words, again=bool(put.problem)),
        choices=put.choices or await present(want, wish.tool, turn.lookup),
        problem=put.problem,
    )


def question(want: Want, words: Phrasing, *, again: bool = False) -> str:
    """The operator's own question, else a plain one. What an answer looks like is said when the
    first did not fit, and where the question is a plain one."""
    told = want.argument
    text = told.ask or words.say("ask", label=told.label)
    hint = words.say("hint", hint=told.hint) if told.hint and (again or not told.ask) else ""
    return text + hint


async def present(want: Want, tool: str, lookup: Lookup) -> tuple[Choice, ...]:
    """What there is to pick from, empty where it is too much to list."""
    if want.kind is Kind.CHOICE:
        there = await lookup.choices(tool, want.name)
        return there if len(there) <= MOST_CHOICES else ()
    allowed = want.schema.get("enum")
    if want.kind is Kind.ENUM and isinstance(allowed, list) and len(allowed) <= MOST_CHOICES:
        return tuple(Choice(value, str(value)) for value in allowed if value is not None)
    return ()


def _confirm(wish: Wish, manifest: Manifest, words: Phrasing, unsure: Sequence[str]) -> AskFor:
    wanted = wants(manifest)
    told = [
        words.say(
            "confirm_one",
            label=wanted[name].argument.label,
            value=_shown(str(wish.slots[name].value)),
            origin=wish.slots[name].origin,
        )
        for name in unsure
    ]
    return AskFor(wish, None, words.say("confirm", values="; ".join(told)))


def _shown(value: str) -> str:
    """A fact may come from a field that anybody filled: nothing in it is hidden or active, tokens
    of held values aside."""
    held = [match[0] for match in TOKEN.finditer(value)]
    rest = TOKEN.split(value)[:: TOKEN.groups + 1]
    pieces = [sanitise(part) for part in rest]
    return "".join(piece + token for piece, token in zip(pieces, [*held, ""], strict=True))
