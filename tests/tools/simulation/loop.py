"""An event loop without an outside: virtual time, and a seed that decides who goes next.

Every coroutine belongs to an actor (a process, the host product, a person). Within an actor
callbacks keep their order, as asyncio promises; between actors the seed decides, so every await is
a point where anybody else may go on. Time passes only when nobody can. A killed actor is simply
never run again: no `finally`, no cancellation, as after SIGKILL.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any, TypeVar

from typing_extensions import TypeVarTuple, override

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
ACTOR: ContextVar[str] = ContextVar("actor", default="")
MOST_STEPS = 200_000


class EndlessError(Exception):
    """The schedule does not come to an end."""


def new_loop(rng: Random) -> SimLoop:
    return SimLoop(rng)  # type: ignore[abstract]  # what it lacks is the outside


class SimLoop(asyncio.AbstractEventLoop):
    """`before_step` is told whose step comes next, and may kill."""

    def __init__(self, rng: Random) -> None:
        self._random = rng.random
        self._now = 0.0
        self._queues: dict[str, deque[asyncio.Handle]] = {}
        self._ready: list[str] = []  # whose queue is not empty
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = 0
        self._frozen: dict[str, float] = {}
        self._contexts: dict[str, Context] = {}
        self._dead: dict[str, deque[asyncio.Handle]] = {}
        self._tasks: list[asyncio.Task[Any]] = []
        self.before_step: Callable[[str], None] = lambda _actor: None
        self.problems: list[str] = []
        self.steps = 0

    # --- what asyncio asks of a loop ------------------------------------------------------------

    @override
    def time(self) -> float:
        return self._now

    @override
    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._put(handle)
        return handle

    @override
    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    @override
    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._numbers += 1
        heapq.heappush(self._timers, (when, self._numbers, timer))
        return timer

    @override
    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    @override
    def create_task(  # type: ignore[override]
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks.append(task)
        return task

    @override
    def get_debug(self) -> bool:
        return False

    @override
    def is_running(self) -> bool:
        return True

    @override
    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.problems.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _timer_handle_cancelled(self, _timer: asyncio.TimerHandle) -> None:
        """It is left in the heap and skipped."""

    # --- actors ---------------------------------------------------------------------------------

    def spawn(self, actor: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        context = copy_context()
        context.run(ACTOR.set, actor)
        return self.create_task(work, context=context)

    def later(self, actor: str, delay: float, callback: Callable[[], object]) -> None:
        context = self._contexts.get(actor)
        if context is None:
            context = self._contexts[actor] = copy_context()
            context.run(ACTOR.set, actor)
        if delay:
            self.call_later(delay, callback, context=context)
        else:
            self.call_soon(callback, context=context)

    def kill(self, actor: str) -> None:
        self._dead[actor] = self._queues.pop(actor, deque())
        if actor in self._ready:
            self._ready.remove(actor)

    def freeze(self, actor: str, seconds: float) -> None:
        """Stopped as by SIGSTOP: its timers run out meanwhile."""
        self._frozen[actor] = self._now + seconds

    def hop(self, seconds: float) -> None:
        """Nobody is asked for that long."""
        self._now += seconds

    # --- running --------------------------------------------------------------------------------

    def run_until(self, done: asyncio.Future[Any]) -> None:
        """Raises EndlessError."""
        events._set_running_loop(self)
        try:
            while not done.done():
                self._step()
        finally:
            events._set_running_loop(None)

    def close_all(self) -> None:
        """Cancel what is left, the dead included; what they do now nobody looks at."""
        self.before_step = lambda _actor: None
        self._frozen.clear()
        for dead, handles in list(self._dead.items()):
            del self._dead[dead]
            self._queues[dead] = handles
            if handles:
                self._ready.append(dead)
        left = [task for task in self._tasks if not task.done()]
        events._set_running_loop(self)
        try:
            while left:
                for task in left:
                    task.cancel()
                self._drain()
                left = [task for task in left if not task.done()]
        finally:
            events._set_running_loop(None)
        for task in self._tasks:
            if not task.cancelled():
                task.exception()  # looked at, so that nobody reports it
        self._tasks.clear()

    def _drain(self) -> None:
        """Whatever can go on without waiting."""
        while self._ready:
            actor = self._ready[0]
            queue = self._queues[actor]
            while queue:
                queue.popleft()._run()
            self._ready.remove(actor)

    def _step(self) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise EndlessError(f"{MOST_STEPS} steps, and no end")
        if self._timers and self._timers[0][0] <= self._now:
            self._due()
        actor = self._next()
        self.before_step(actor)
        queue = self._queues.get(actor)  # it may have been killed just now
        if not queue:
            return
        handle = queue.popleft()
        if not queue:
            self._ready.remove(actor)
        if not handle._cancelled:
            handle._run()

    def _next(self) -> str:
        while True:
            ready = self._ready
            if self._frozen:
                ready = [actor for actor in ready if self._frozen.get(actor, 0.0) <= self._now]
            if ready:
                return ready[0] if len(ready) == 1 else ready[int(self._random() * len(ready))]
            self._pass()

    def _pass(self) -> None:
        wakes = [at for at in self._frozen.values() if at > self._now]
        if self._timers:
            wakes.append(self._timers[0][0])
        if not wakes:
            raise EndlessError("everybody waits for somebody")
        self._now = max(self._now, min(wakes))
        self._due()

    def _due(self) -> None:
        while self._timers and self._timers[0][0] <= self._now:
            timer = heapq.heappop(self._timers)[2]
            if not timer._cancelled:
                self._put(timer)

    def _put(self, handle: asyncio.Handle) -> None:
        actor = handle._context.get(ACTOR, "")  # type: ignore[attr-defined]
        if actor in self._dead:
            self._dead[actor].append(handle)
            return
        queue = self._queues.get(actor)
        if queue is None:
            queue = self._queues[actor] = deque()
        if not queue:
            self._ready.append(actor)
        queue.append(handle)
