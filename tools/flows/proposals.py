"""A kit with somebody's edits, beside what is there: what the card says it would make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import JsonValue

from onboarding.journeys import Edits, Item, Kit, made

There = Mapping[str, Mapping[str, JsonValue]]
"""What is there: dashboards and alerts, each by name."""


class Standing(StrEnum):
    """What is there already of an item that is to be made."""

    NEW = "new"
    NAMED = "named"  # something else of this name
    SAME = "same"  # just this


@dataclass(frozen=True, slots=True)
class Proposed:
    """One item of a kit as it would be made. `why_not` is empty for what will be."""

    kind: str  # dashboard | mail | alert
    item: Item
    name: str
    call: Mapping[str, JsonValue]
    standing: Standing = Standing.NEW
    why_not: str = ""

    @property
    def line(self) -> str:
        """In words, for the card."""
        return f"{self.kind.capitalize()} “{self.name}”: {_in_words(self.call)}"


def proposed(kit: Kit, edits: Edits, there: There) -> Iterator[Proposed]:
    """Dashboards, mails, alerts, each in the order of the file."""
    for dashboard in kit.dashboards:
        yield _item("dashboard", kit, dashboard, edits, there.get("dashboards", {}))
    for flow in kit.workflows:
        yield _mail(kit, flow, edits)
    for alert in kit.alerts:
        yield _item("alert", kit, alert, edits, there.get("alerts", {}))


def notes(kit: Kit, items: tuple[Proposed, ...]) -> Iterator[str]:
    """What is not made, what stays, and what the industry's rules ask for."""
    for each in items:
        called = f"{each.kind} “{each.name}”"
        if each.standing is Standing.SAME and each.why_not:
            yield f"There already, not made again: {called}."
        elif each.why_not:
            yield f"Not made: {called} ({each.why_not})."
        elif each.standing is not Standing.NEW:
            yield f"There is a {called} already; it stays, this makes a second."
    for note in kit.compliance:
        yield f"{note.text.get('en', '')} ({note.source})"


def _item(
    kind: str, kit: Kit, item: Item, edits: Edits, there: Mapping[str, JsonValue]
) -> Proposed:
    call = made(kit, item, edits)
    name = str(call.pop("name", item.id))
    standing = Standing.NEW
    if name in there:
        standing = Standing.SAME if _within(call, there[name]) else Standing.NAMED
    why_not = "left out" if item.id in edits.leave_out else ""
    return Proposed(kind, item, name, call, standing, why_not)


def _mail(kit: Kit, flow: Item, edits: Edits) -> Proposed:
    """Of its dashboard: without that one, or without a recipient, nothing is sent."""
    call = made(kit, flow, edits)
    board = next(item for item in kit.dashboards if item.id == flow.of)
    why_not = ""
    if {flow.id, board.id} & edits.leave_out:
        why_not = "left out"
    elif not call.get("recipients", True):
        why_not = "nobody receives it"
    name = edits.names.get(board.id, board.default_name)
    return Proposed("mail", flow, name, call, why_not=why_not)


def _within(ours: JsonValue, theirs: JsonValue) -> bool:
    """Whether all that we would say stands there; what they add is theirs."""
    match ours, theirs:
        case dict(), dict():
            return all(name in theirs and _within(v, theirs[name]) for name, v in ours.items())
        case list(), list():
            pairs = zip(ours, theirs, strict=False)
            return len(ours) == len(theirs) and all(_within(a, b) for a, b in pairs)
        case _:
            return ours == theirs


def _in_words(value: JsonValue | Mapping[str, JsonValue]) -> str:
    match value:
        case {"title": str(title), "kind": str(kind)}:
            return f"{title} ({kind})"
        case Mapping():
            return ", ".join(f"{n.replace('_', ' ')} {_in_words(v)}" for n, v in value.items())
        case list():
            return ", ".join(map(_in_words, value)) or "nobody"
        case _:
            return str(value)
