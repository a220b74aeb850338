"""text -> tool and slots -> one question at a time -> a complete call; it proposes, never acts."""

from agent.acting.awaiting import answers_with_secret
from agent.acting.lookup import KnownLookup
from agent.acting.types import (
    AskFor,
    CannotDo,
    Choice,
    Dropped,
    Lookup,
    NoAction,
    Plan,
    Planner,
    PlannerError,
    PlannerTurn,
    Ready,
    Slot,
    Wish,
)

__all__ = [
    "AskFor",
    "CannotDo",
    "Choice",
    "Dropped",
    "KnownLookup",
    "Lookup",
    "NoAction",
    "Plan",
    "Planner",
    "PlannerError",
    "PlannerTurn",
    "Ready",
    "Slot",
    "Wish",
    "answers_with_secret",
]
