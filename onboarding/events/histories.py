"""events of a person and their account -> History."""

from __future__ import annotations

from collections.abc import Iterable

from onboarding.types import Event, History, Seen


def history_of(events: Iterable[Event], recent: int) -> History:
    """Of events in any order; the newest `recent` of them come along, oldest first."""
    ordered = sorted(events, key=lambda event: event.occurred_at)
    seen: dict[str, Seen] = {}
    for event in ordered:
        before = seen.get(event.name)
        first = event.occurred_at if before is None else before.first
        seen[event.name] = Seen(1 if before is None else before.count + 1, first, event.occurred_at)
    return History(seen, tuple(ordered[-recent:]) if recent else ())
