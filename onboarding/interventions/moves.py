"""Which state of a delivery may follow which. What is not here does not happen."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from onboarding.interventions.types import State

_WAITING: Final = frozenset(
    {State.HELD, State.CLAIMED, State.SUPPRESSED, State.EXPIRED, State.DEAD}
)
MOVES: Final[Mapping[State, frozenset[State]]] = MappingProxyType(
    {
        State.PLANNED: _WAITING,
        State.HELD: _WAITING,
        State.RETRY: _WAITING,
        State.CLAIMED: frozenset(
            {State.SENT, State.RETRY, State.HELD, State.DEAD, State.UNKNOWN, State.SUPPRESSED}
        ),
        State.SENT: frozenset({State.DELIVERED, State.SEEN, State.CLICKED, State.FAILED}),
        State.DELIVERED: frozenset({State.SEEN, State.CLICKED, State.FAILED}),
        State.SEEN: frozenset({State.CLICKED}),
        State.FAILED: frozenset({State.RETRY, State.DEAD}),
        State.UNKNOWN: frozenset(
            {
                State.SENT,
                State.DELIVERED,
                State.SEEN,
                State.CLICKED,
                State.FAILED,
                State.DEAD,
                State.RETRY,
                State.HELD,
            }
        ),
        State.CLICKED: frozenset(),
        State.DEAD: frozenset(),
        State.SUPPRESSED: frozenset(),
        State.EXPIRED: frozenset(),
    }
)
WAITING: Final = frozenset({State.PLANNED, State.HELD, State.RETRY})
"""Looked at when they are due."""
LIVE: Final = WAITING | {State.CLAIMED}
OUT: Final = frozenset({State.SENT, State.DELIVERED, State.SEEN, State.CLICKED})
ENDED: Final = frozenset(state for state, after in MOVES.items() if not after)


class IllegalDeliveryMoveError(RuntimeError):
    """A delivery cannot go from the one to the other."""

    def __init__(self, delivery: str, before: State, after: State) -> None:
        super().__init__(f"delivery {delivery} cannot go from {before} to {after}")
        self.delivery = delivery
        self.before = before
        self.after = after


def is_legal(before: State, after: State) -> bool:
    return after in MOVES[before]
