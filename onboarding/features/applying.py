"""A batch of events -> the states that it changes: what every store does alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from onboarding.events import Numbered
from onboarding.features.compiling import EPOCH, FeatureSet, States
from onboarding.features.measures import USER, Kind
from onboarding.types import Event

PRUNED_EVERY: Final = timedelta(days=1)


@dataclass(slots=True)
class Memory:
    """The states of one subject, and when they were pruned last."""

    states: States = field(default_factory=dict)
    pruned: datetime = EPOCH


def subjects_in(read: Iterable[Numbered]) -> list[str]:
    """Whom a batch is about, each once."""
    found = dict.fromkeys(
        subject for each in read for subject, _ in _subjects(each.event) if subject is not None
    )
    return list(found)


def grow(features: FeatureSet, read: Sequence[Numbered], memory: Callable[[str], Memory]) -> None:
    """In place, in the order of the log."""
    for _, event in read:
        for subject, of_account in _subjects(event):
            if subject is None:
                continue
            here = memory(subject)
            features.update(here.states, event, of_account=of_account)
            if event.received_at - here.pruned > PRUNED_EVERY:
                features.prune(here.states, event.received_at)
                here.pruned = event.received_at


def without_user(states: Mapping[str, object], user: str) -> bool:
    """In place, of an account: whether the user was in it."""
    prefix = f"{Kind.VALUES.value}:"
    found = False
    for id, state in states.items():
        if id.startswith(prefix) and USER in id.split(":") and isinstance(state, dict):
            found = state.pop(user, None) is not None or found
    return found


def _subjects(event: Event) -> tuple[tuple[str | None, bool], ...]:
    """The person as they sent it, and the account."""
    person = (
        f"u:{event.user}" if event.user else f"a:{event.anonymous}" if event.anonymous else None
    )
    account = f"g:{event.account}" if event.account else None
    return (person, False), (account, True)
