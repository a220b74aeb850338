"""What was said -> values for the arguments of one tool, no stretch of text used twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jsonschema import Draft202012Validator
from pydantic import JsonValue

from agent.acting.phrasing import Phrasing
from agent.acting.said import Found, Mention, Said, Taken
from agent.acting.types import Choice
from agent.acting.values import EXTRACTORS, Search
from agent.acting.values.booleans import is_whole_matter, switched
from agent.acting.values.enums import Enums
from agent.acting.wanted import Kind, Want, required, wants, wants_of
from guardrails.labels import Integrity
from guardrails.pseudonyms import TOKEN
from tools.types import Manifest
from tools.validation import FORMATS

Choices = Mapping[str, tuple[Choice, ...]]
"""By argument."""
SURE, LIKELY = 0.85, 0.5
"""A first pass takes what the text names for an argument, a second what is left over: sure is a
value beside its name or unit, likely one that no other argument wants (scores of extractors)."""
_SHARED = (Kind.ENUM, Kind.CHOICE)


@dataclass(slots=True)
class Filled:
    """`torn` are arguments for which the text names several values where one is wanted."""

    found: dict[str, Found] = field(default_factory=dict)
    torn: dict[str, tuple[Found, ...]] = field(default_factory=dict)
    taken: Taken = field(default_factory=Taken)

    def unused(self, said: Said) -> tuple[Mention, ...]:
        """Held values of the text that no argument took."""
        used = " ".join(str(f.value) for f in self.found.values())
        return tuple(
            m
            for m in said.mentions
            if self.taken.free(m.start, m.end) and m.held.token[:-1] not in used
        )


def fill(
    manifest: Manifest, said: Said, words: Phrasing, choices: Choices, only: Sequence[str] = ()
) -> Filled:
    """Values by argument; `only` limits the arguments that are looked for."""
    filled = Filled()
    wanted = {n: w for n, w in wants(manifest).items() if not only or n in only}
    must = required(manifest, {})
    order = sorted(wanted.values(), key=lambda want: want.name not in must)
    for least in (SURE, LIKELY):
        for kind in EXTRACTORS:
            for want in order:
                if want.kind is kind and want.name not in filled.found:
                    search = Search(said, want, words, filled.taken, choices.get(want.name, ()))
                    _look(search, filled, least)
    for want in order:
        search = Search(said, want, words, filled.taken)
        if want.kind is Kind.OBJECT and want.many:
            _rows(search, filled)
    _switch(manifest, said, words, filled)
    return filled


def _look(search: Search, filled: Filled, least: float) -> None:
    want = search.want
    found = [f for f in EXTRACTORS[want.kind].find(search) if f.score >= least and fits(f, want)]
    if not found:
        return
    if want.many:
        values = list({repr(f.value): f for f in found}.values())
        filled.taken.add(place for f in values for place in f.places)
        integrity = min(f.integrity for f in values)
        held = [f.value for f in sorted(values, key=lambda f: f.places[:1])]
        filled.found[want.name] = Found(held, (), integrity)
        return
    if want.kind in _SHARED and _is_torn(search, found):
        filled.torn[want.name] = tuple(found)
        return
    filled.taken.add(found[0].places)
    filled.found[want.name] = found[0]


def _is_torn(search: Search, found: Sequence[Found]) -> bool:
    """Two values of equal right, unless the later corrects the earlier ("from viewer to admin")."""
    if len(found) < 2 or found[0].score > found[1].score:  # noqa: PLR2004  # two make a conflict
        return False
    if search.want.kind is Kind.CHOICE:
        return True
    leads = [_led(search, f) for f in found[:2]]
    return leads[0] == leads[1] and all(f.places for f in found[:2])


def _led(search: Search, found: Found) -> bool:
    before = search.said.before(found.places[0][0], 1) if found.places else ""
    return search.words.hear["towards"].fullmatch(before) is not None


def fits(found: Found, want: Want) -> bool:
    """Whether the value may stand there by the schema; held values are checked when restored."""
    if isinstance(found.value, str) and TOKEN.fullmatch(found.value):
        return True
    return problem_with(found.value, want) is None


def problem_with(value: JsonValue, want: Want) -> str | None:
    """The keyword of the schema that the value breaks."""
    form = want.schema.get("format")
    if isinstance(value, str) and isinstance(form, str) and form in FORMATS:
        try:
            if not FORMATS[form][0](value):
                return "format"
        except ValueError:
            return "format"
    broken = next(iter(Draft202012Validator(dict(want.schema)).iter_errors(value)), None)
    return None if broken is None else str(broken.validator)


def _switch(manifest: Manifest, said: Said, words: Phrasing, filled: Filled) -> None:
    """A tool that is about one switch: what it is turned to lies in the verb."""
    switches = [w for w in wants(manifest).values() if w.kind is Kind.BOOLEAN]
    must = required(manifest, {})
    for want in switches:
        search = Search(said, want, words)
        if want.name in filled.found or want.name not in must:
            continue
        if is_whole_matter(search, len(switches)) and not said.answers:
            on = switched(search)
            filled.found[want.name] = Found(on is not False, (), Integrity.OPERATOR, 0.7)


def _rows(search: Search, filled: Filled) -> None:
    """A list of objects such as `{email, role}`: each address with the values said after it."""
    inner = wants_of(search.want.schema, {})
    lead = next((w for w in inner.values() if w.kind is Kind.EMAIL), None)
    mentions = [m for m in search.said.mentions if m.held.type == "EMAIL_ADDRESS"]
    if lead is None or not mentions:
        return
    rows: list[JsonValue] = []
    for mention in mentions:
        row: dict[str, JsonValue] = {lead.name: mention.held.token}
        for want in inner.values():
            value = _beside(Search(search.said, want, search.words), mention)
            row |= {} if value is None else {want.name: value}
        rows.append(row)
    filled.taken.add((m.start, m.end) for m in mentions)
    filled.found[search.want.name] = Found(rows, ())


def _beside(search: Search, mention: Mention) -> JsonValue:
    """The first member said after the address, else the last before it."""
    if search.want.kind is not Kind.ENUM:
        return None
    found = [f for f in Enums().occurrences(search) if f.places]
    after = sorted((f for f in found if f.places[0][0] >= mention.end), key=lambda f: f.places)
    before = sorted((f for f in found if f.places[0][0] < mention.start), key=lambda f: f.places)
    chosen = after[0] if after else before[-1] if before else None
    return None if chosen is None else chosen.value
