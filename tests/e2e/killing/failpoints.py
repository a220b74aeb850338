"""Where a process kills itself: at the N-th time that it comes by a named point.

Every call of journal and tool is a point before and one after; the HTTP client and the statements
of a transaction add theirs. `EMBARK_KILL_AT=settle.after:2` names one; without it nothing happens.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from sqlalchemy import Engine, event

_P = ParamSpec("_P")
_R = TypeVar("_R")
VARIABLE = "EMBARK_KILL_AT"
WORKER_CALLS: tuple[str, ...] = (
    "claim",
    "renew",
    "postpone",
    "settle",
    "look",
    "run",
    "read_back",
    "lapse",
)
WORKER_CALLS += ("unresolved", "resolve", "outbox", "sent", "expire", "now")
CLERK_CALLS = ("by_key", "consents", "propose", "present", "action", "approvals", "approve", "look")
SQL_POINTS = ("sql.begin", "sql.statement", "sql.commit")
HTTP_POINTS = ("http.connected", "http.sent", "http.answered")
"""Of the counting target's client alone."""


def points(calls: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{call}.{side}" for call in calls for side in ("before", "after"))


class Failpoints:
    """Of one process."""

    def __init__(self, spec: str) -> None:
        self._point, _, number = spec.partition(":")
        self._number = int(number or 1)
        self._passed: Counter[str] = Counter()

    @classmethod
    def from_environment(cls) -> Failpoints:
        return cls(os.environ.get(VARIABLE, ""))

    def at(self, point: str) -> None:
        """Here; the process may be gone afterwards."""
        self._passed[point] += 1
        if point == self._point and self._passed[point] == self._number:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, thing: object, calls: tuple[str, ...]) -> None:
        """The named methods of an object come by their points from now on."""
        for name in calls:
            if hasattr(thing, name):
                setattr(thing, name, self._passing(name, getattr(thing, name)))

    def _passing(self, name: str, call: Callable[_P, Awaitable[_R]]) -> Callable[_P, Awaitable[_R]]:
        @wraps(call)
        async def passing(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            self.at(f"{name}.before")
            result = await call(*args, **kwargs)
            self.at(f"{name}.after")
            return result

        return passing

    def within(self, engine: Engine) -> None:
        """The statements of its transactions are points, too: between them nothing is committed."""

        def passing(point: str) -> Callable[..., None]:
            return lambda *_args, **_kwargs: self.at(point)

        hooks: tuple[tuple[str, str], ...] = (
            ("begin", "sql.begin"),
            ("after_cursor_execute", "sql.statement"),
            ("commit", "sql.commit"),
        )
        for name, point in hooks:
            event.listen(engine, name, passing(point))
