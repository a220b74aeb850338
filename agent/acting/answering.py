"""A reply to the planner's own question -> the wish with what it says, or why it does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import JsonValue

from agent.acting.asking import Put, onward
from agent.acting.filling import Filled, fill, problem_with
from agent.acting.phrasing import Phrasing
from agent.acting.said import Found, Said
from agent.acting.types import Choice, Dropped, Plan, PlannerTurn, Slot, Wish
from agent.acting.values import EXTRACTORS, Search
from agent.acting.wanted import Kind, Want, wants
from tools.types import Manifest

_SAID = 60
"""Characters of an answer that are repeated when it did not fit."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One turn that may answer what the wish asks."""

    turn: PlannerTurn
    wish: Wish
    manifest: Manifest
    said: Said
    words: Phrasing


async def decided(reply: Reply) -> Plan | None:
    """Cancelled, confirmed, denied, or asked to go on; None when it is something else."""
    words, text = reply.words, reply.said.text
    if words.hears("cancel", text):
        return Dropped(reply.wish)
    if reply.wish.confirming and words.hears("yes", text):
        return await onward(reply.wish, reply.manifest, reply.turn, words)
    if reply.wish.confirming and words.hears("no", text):
        return await _denied(reply)
    if words.hears("back", text):
        again = replace(reply.wish, confirming=False)
        return await onward(again, reply.manifest, reply.turn, words)
    return None


async def _denied(reply: Reply) -> Plan:
    """What was inferred is not right: the first of it is asked for."""
    slots = {name: slot for name, slot in reply.wish.slots.items() if not slot.origin}
    gone = next((name for name in reply.wish.slots if name not in slots), None)
    wish = replace(reply.wish, slots=slots, asked=gone, confirming=False)
    return await onward(wish, reply.manifest, reply.turn, reply.words)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a reply gives; `sure` when more than the text as it stands was read from it."""

    slots: Mapping[str, Slot]
    sure: bool
    put: Put | None = None


async def heard(reply: Reply) -> Heard | None:
    """Values in the reply, by argument; None when nothing in it answers or corrects."""
    asked, wanted = reply.wish.asked, wants(reply.manifest)
    choices = await _choices(reply, wanted)
    text, adds = _bare(reply)
    said = _relisten(reply.said, text)
    filled = fill(reply.manifest, said, reply.words, choices)
    slots = _trusted(_merged(reply, filled, adds=adds), wanted)
    sure = bool(slots)
    put: Put | None = None
    if asked is not None and asked in wanted and asked not in slots:
        want = wanted[asked]
        own, put = _answered(reply, want, said, choices.get(asked, ()))
        if own is not None and own.integrity < want.argument.integrity:
            own, put = None, Put(reply.words.say("must_pick"))
        slots |= {} if own is None else {asked: own}
        if own is None and not slots:
            return Heard({}, sure=False, put=put)
    return Heard(slots, sure, None if asked in slots else put) if slots else None


def _trusted(slots: Mapping[str, Slot], wanted: Mapping[str, Want]) -> dict[str, Slot]:
    """Those that their argument may take."""
    return {n: s for n, s in slots.items() if s.integrity >= wanted[n].argument.integrity}


async def _choices(reply: Reply, wanted: Mapping[str, Want]) -> dict[str, tuple[Choice, ...]]:
    return {
        name: await reply.turn.lookup.choices(reply.manifest.name, name)
        for name, want in wanted.items()
        if want.kind is Kind.CHOICE
    }


def _bare(reply: Reply) -> tuple[str, bool]:
    """The text without "no, make it" before it, padded so that places stay; whether it adds."""
    text = reply.said.text
    corrected = reply.words.hear["correction"].match(text.replace("\u2019", "'"))
    if corrected and corrected.end() < len(text.rstrip()):
        return " " * corrected.end() + text[corrected.end() :], False
    adds = reply.words.hear["another"].match(text)
    return text, bool(adds)


def _relisten(said: Said, text: str) -> Said:
    """The same turn with leading words blanked out."""
    blank = len(text) - len(text.lstrip())
    kept = tuple(w for w in said.words if w.start >= blank)
    return replace(said, text=text, words=kept)


def _merged(reply: Reply, filled: Filled, *, adds: bool) -> dict[str, Slot]:
    """Lists grow when the reply adds to them; otherwise the new value stands."""
    slots: dict[str, Slot] = {}
    for name, found in filled.found.items():
        old = reply.wish.slots.get(name)
        value = found.value
        if adds and old is not None and isinstance(old.value, list) and isinstance(value, list):
            value = [*old.value, *(v for v in value if v not in old.value)]
        slots[name] = Slot(value, found.integrity, found.origin)
    return slots


def _answered(
    reply: Reply, want: Want, said: Said, choices: tuple[Choice, ...]
) -> tuple[Slot | None, Put]:
    """The reply read as the value of just this argument."""
    if want.kind not in EXTRACTORS:
        return None, Put()
    search = Search(replace(said, answers=True), want, reply.words, choices=choices)
    found = list(EXTRACTORS[want.kind].find(search))
    fitting = [f for f in found if problem_with_found(f, want) is None]
    if fitting and not _torn(want, fitting):
        value: JsonValue = [f.value for f in fitting] if want.many else fitting[0].value
        return Slot(value, min(f.integrity for f in fitting)), Put()
    if fitting:
        named = {repr(f.value) for f in fitting}
        several = tuple(c for c in choices if repr(c.value) in named)
        labels = ", ".join(c.label for c in several)
        return None, Put(reply.words.say("several", labels=labels), several)
    return None, Put(_problem(reply, want, found))


def problem_with_found(found: Found, want: Want) -> str | None:
    if isinstance(found.value, str) and found.value.startswith("<"):
        return None
    return problem_with(found.value, want)


def _torn(want: Want, fitting: list[Found]) -> bool:
    several = len(fitting) > 1 and want.kind is Kind.CHOICE and not want.many
    return several and fitting[0].score == fitting[1].score


_NEEDS = {
    Kind.EMAIL: "needs_email", Kind.URL: "needs_url", Kind.NUMBER: "needs_number",
    Kind.DATE: "needs_time", Kind.TIME: "needs_time", Kind.DATETIME: "needs_time",
    Kind.DURATION: "needs_time", Kind.SECRET: "needs_secret",
}  # fmt: skip


def _problem(reply: Reply, want: Want, found: list[Found]) -> str:
    """Why the answer does not fit, in words."""
    words = reply.words
    for each in found:
        rule = problem_with(each.value, want)
        for name, key in (("minimum", "too_small"), ("maximum", "too_large")):
            if rule == name:
                return words.say(key, limit=str(want.schema[name]))
    allowed = want.schema.get("enum")
    if want.kind is Kind.ENUM and isinstance(allowed, list):
        return words.say("one_of", values=", ".join(str(v) for v in allowed))
    if want.kind in _NEEDS:
        return words.say(_NEEDS[want.kind])
    told = " ".join(reply.said.text.split())[:_SAID]
    key = "not_found" if want.kind is Kind.CHOICE else "not_fit"
    return words.say(key, said=f"“{told}”")
