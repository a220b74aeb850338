"""Runs under way: one task a run, its frames kept for every reader, late ones included.

A run does not belong to the connection that asked for it: when that closes, the run goes on, is
stored, and can be read again from any frame.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakValueDictionary

import structlog
from ag_ui.core import BaseEvent, EventType, RunErrorEvent

from agent.pausing import REFUSALS
from agent.stream import PageUrl, Translator
from agent.types import Numbered, RunFailed, RunStarted
from api.errors import ConflictError, Problem, ProblemError
from api.limits import Limits
from api.sse import PING, encode
from tools.vault import KeyDestroyedError

FRAMES_PER_EVENT = 4
"""Frame numbers per run event: the translator makes at most three frames of one, and a failure
that cuts a run short needs one more."""

_TERMINAL = frozenset({EventType.RUN_FINISHED, EventType.RUN_ERROR})

_STOPPING = "The server is stopping; the answer goes on when it is back."
_ERASED = "This conversation was erased."
_INTERNAL = "Something went wrong on our side; the question is kept."

_log = structlog.get_logger(__name__)


class ThreadKey(NamedTuple):
    """A thread id means nothing without its tenant, and nothing to anybody but its owner."""

    tenant: str
    thread_id: str
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """One AG-UI event, encoded once for all readers."""

    number: int
    event: BaseEvent
    data: bytes


class Run:
    """The frames of one run so far, in order; grows until `done`."""

    def __init__(self, run_id: str, message_id: str, translator: Translator) -> None:
        self.run_id = run_id
        self.message_id = message_id
        self.frames: list[Frame] = []
        self.error: BaseException | None = None
        self._translator = translator
        self._changed = asyncio.Event()

    @property
    def done(self) -> bool:
        return bool(self.frames) and self.frames[-1].event.type in _TERMINAL

    @property
    def failed(self) -> bool:
        return bool(self.frames) and self.frames[-1].event.type is EventType.RUN_ERROR

    @property
    def refused(self) -> bool:
        """Whether it ended where it began, with nothing stored of it."""
        last = self.frames[-1].event if self.frames else None
        return isinstance(last, RunErrorEvent) and last.code in REFUSALS

    def add(self, numbered: Numbered) -> None:
        """Translate one event and wake the readers; nothing follows an end."""
        if self.done:
            return
        first = numbered.number * FRAMES_PER_EVENT
        for place, event in enumerate(self._translator.translate(numbered.event)):
            self.frames.append(Frame(first + place, event, encode(event, first + place)))
        self._wake()

    def fail(self, error: BaseException | None, code: str, message: str) -> None:
        """End a run whose task ended without saying how.

        Who waits for a first frame that never came gets `error`, everybody else a `RUN_ERROR`.
        """
        if not self.frames:
            self.error = error or ProblemError(Problem(503, "stopping", message))
        elif not self.done:
            number = self.frames[-1].number + 1
            for event in self._translator.translate(RunFailed(code, message)):
                self.frames.append(Frame(number, event, encode(event, number)))
        self._wake()

    async def opened(self) -> None:
        """Return once there is a first frame; raise what kept the run from having one."""
        while not self.frames:
            if self.error is not None:
                raise self.error
            await self._changed.wait()

    async def read(self, position: int, heartbeat_s: float) -> AsyncIterator[bytes]:
        """Frames from `position` to the end of the run; what is ready goes out as one piece."""
        while True:
            ready = self.frames[position:]
            if ready:
                position += len(ready)
                yield b"".join(frame.data for frame in ready)
            if self.done:
                return
            changed = self._changed
            if position == len(self.frames) and not await _set_within(changed, heartbeat_s):
                yield PING

    def position_after(self, cursor: int | None) -> int:
        """Where a reader goes on that has seen `cursor`: the end when it names no frame of ours."""
        numbers = [frame.number for frame in self.frames]
        if cursor is None or not numbers or cursor > numbers[-1]:
            return len(numbers)
        return sum(number <= cursor for number in numbers)

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


async def _set_within(event: asyncio.Event, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True


class Runs:
    """The newest run of every thread that was active lately."""

    def __init__(self, page_url: PageUrl, limits: Limits) -> None:
        self._page_url = page_url
        self._limits = limits
        self._newest: OrderedDict[ThreadKey, Run] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._started: WeakValueDictionary[ThreadKey, asyncio.Event] = WeakValueDictionary()
        self._lives: Counter[tuple[str, str | None]] = Counter()

    def newest(self, key: ThreadKey) -> Run | None:
        return self._newest.get(key)

    def start(
        self, key: ThreadKey, run_id: str, message_id: str, events: AsyncIterator[Numbered]
    ) -> Run:
        """Begin a run in a task of its own. Raises ConflictError while the thread has another."""
        before = self._newest.get(key)
        if before is not None and not before.done:
            raise ConflictError("run_in_progress", "this thread is still answering; wait for it")
        run = Run(run_id, message_id, Translator(self._page_url))
        self._remember(key, run)
        task = asyncio.create_task(_pump(run, events), name=f"run {run_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda ended: self._settle(key, run, ended))
        task.add_done_callback(lambda _: self._leave_out(key, run, before))
        return run

    def restore(self, key: ThreadKey, logged: Sequence[Numbered]) -> Run | None:
        """The newest run of a thread from its log; None when the log does not hold its end."""
        begun = [n for n, entry in enumerate(logged) if isinstance(entry.event, RunStarted)]
        if key in self._newest or not begun:
            return self._newest.get(key)
        newest = logged[begun[-1] :]
        first = newest[0].event
        assert isinstance(first, RunStarted)
        run = Run(first.run_id, "", Translator(self._page_url))
        for numbered in newest:
            run.add(numbered)
        if not run.done:
            return None
        self._remember(key, run)
        return run

    async def next_run(self, key: ThreadKey, after: Run | None, timeout_s: float) -> Run | None:
        """The run that follows `after`; None when none begins in time."""
        if self._newest.get(key) is after:
            started = self._started.setdefault(key, asyncio.Event())
            await _set_within(started, timeout_s)
        newest = self._newest.get(key)
        return newest if newest is not after else None

    def life(self, key: ThreadKey) -> int:
        """Rises when the person is erased: a reader of an earlier life has nothing to wait for."""
        return self._lives[key.tenant, key.subject]

    def of(self, tenant: str, subject: str) -> tuple[ThreadKey, ...]:
        """Threads of this person whose newest run is kept here."""
        return tuple(k for k in self._newest if (k.tenant, k.subject) == (tenant, subject))

    def forget(self, tenant: str, subject: str) -> int:
        """Frames of an erased person go, and whoever reads them or waits for more is done."""
        self._lives[tenant, subject] += 1
        gone = self.of(tenant, subject)
        for key in gone:
            error = KeyDestroyedError("erased")
            self._newest.pop(key).fail(error, "erased", _ERASED)
        for key, waiting in list(self._started.items()):
            if (key.tenant, key.subject) == (tenant, subject):
                waiting.set()
        return len(gone)

    async def close(self) -> None:
        """Give runs their grace, then cancel them; each ends with a `cancelled` frame."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=self._limits.shutdown_grace_s)
        for task in set(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _remember(self, key: ThreadKey, run: Run) -> None:
        self._newest[key] = run
        self._newest.move_to_end(key)
        finished = (k for k, r in self._newest.items() if r.done)
        surplus = len(self._newest) - self._limits.remembered_runs
        for stale in [k for k, _ in zip(finished, range(surplus), strict=False)]:
            del self._newest[stale]
        started = self._started.pop(key, None)
        if started is not None:
            started.set()

    def _leave_out(self, key: ThreadKey, run: Run, before: Run | None) -> None:
        """A run that was refused told its own reader why; whoever joins reads the one before."""
        if not run.refused or self._newest.get(key) is not run:
            return
        if before is None:
            del self._newest[key]
        else:
            self._newest[key] = before

    def _settle(self, key: ThreadKey, run: Run, ended: asyncio.Task[None]) -> None:
        """Turn a task's end into the run's end, whatever ended it."""
        error = None if ended.cancelled() else ended.exception()
        if error is not None:
            _log.error("run.failed", run_id=run.run_id, error=type(error).__name__)
        if ended.cancelled():
            run.fail(None, "cancelled", _STOPPING)
        elif not run.done:
            run.fail(error or RuntimeError("the run had no end"), "internal", _INTERNAL)
        if not run.frames and self._newest.get(key) is run:
            del self._newest[key]


async def _pump(run: Run, events: AsyncIterator[Numbered]) -> None:
    async for numbered in events:
        run.add(numbered)
