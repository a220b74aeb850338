"""Batches: passages sorted by length, and single questions that meet on their way in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def by_length(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Positions in batches, longest first, each batch at most `budget` tokens once padded.

    Longest first, so that memory peaks in the first batch. A single longer text is a batch.
    """
    order = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    at = 0
    while at < len(order):
        size = max(1, budget // max(1, lengths[order[at]]))
        yield order[at : at + size]
        at += size


class BatchFailedError(RuntimeError):
    """The thread that ran this item's batch failed; its own caller has the cause."""


class MicroBatcher(Generic[T, R]):
    """Calls from many threads, answered in shared runs. A call that is alone never waits.

    Whoever finds the worker free runs everything that has gathered, for all of them; calls that
    come meanwhile gather for the next run.
    """

    def __init__(self, run: Callable[[Sequence[T]], Sequence[R]], limit: int) -> None:
        self._run = run
        self._limit = limit
        self._turn = Condition()
        self._busy = False
        self._waiting: list[tuple[T, Future[R]]] = []

    def __call__(self, item: T) -> R:
        """Raises what the run raises, or BatchFailedError when another thread ran it."""
        mine: Future[R] = Future()
        with self._turn:
            self._waiting.append((item, mine))
        while not mine.done():
            self._serve(self._gathered(mine))
        return mine.result()

    def _gathered(self, mine: Future[R]) -> list[tuple[T, Future[R]]]:
        with self._turn:
            self._turn.wait_for(lambda: mine.done() or not self._busy)
            if mine.done():
                return []
            self._busy = True
            batch, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
            return batch

    def _serve(self, batch: list[tuple[T, Future[R]]]) -> None:
        if not batch:
            return
        try:
            results = self._run([item for item, _ in batch])
            for (_, future), result in zip(batch, results, strict=True):
                future.set_result(result)
        finally:
            for _, future in batch:
                if not future.done():
                    future.set_exception(BatchFailedError())
            with self._turn:
                self._busy = False
                self._turn.notify_all()
