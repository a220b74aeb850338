"""The model of the journal: all that has to be known to foretell it."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from tools.journal import RECEIPTED, Action, State

T = TypeVar("T")
S = State


def now_run(work: Coroutine[Any, Any, T]) -> T:
    """A coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("it waits")


@dataclass
class Row:
    """All that the model knows of an action."""

    action: Action
    state: State = S.PROPOSED
    fence: int = 0
    lease: datetime | None = None
    people: set[str] = field(default_factory=set)
    worker: str = ""
    undoable: bool = False
    taken: bool = False
    receipts: int = 0
    told: list[State] = field(default_factory=lambda: [S.PROPOSED])

    def to(self, state: State) -> None:
        self.state = state
        self.told.append(state)
        self.receipts += state in RECEIPTED
