"""Progress of long work: bars on a terminal, one line per five seconds elsewhere; on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from embark.cli.output import err
from ingest.plans import Progress as Watch

LINE_EVERY_S = 5.0
_NAMES = {
    "read": "reading pages",
    "encode": "embedding chunks",
    "check": "checking the new version",
    "switch": "switching",
}


@contextmanager
def watching(*, clock: Callable[[], float] = time.monotonic) -> Iterator[Watch]:
    """A progress callback for as long as the context lasts."""
    if not err.is_terminal:
        yield _Lines(clock)
        return
    columns = (
        TextColumn("{task.description:<26}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bars:
        yield _Bars(bars)


class _Bars:
    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._phase = ""

    def __call__(self, phase: str, done: int, total: int | None) -> None:
        if phase != self._phase:
            self._phase = phase
            self._task = self._bars.add_task(_NAMES.get(phase, phase), total=total)
        self._bars.update(self._task, completed=done, total=total)


class _Lines:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = clock()

    def __call__(self, phase: str, done: int, total: int | None) -> None:
        now = self._clock()
        if now - self._last >= LINE_EVERY_S:
            self._last = now
            of = "" if total is None else f" of {total}"
            err.print(f"{_NAMES.get(phase, phase)}: {done}{of}", markup=False)
