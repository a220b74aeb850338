"""Names found by processes that may be killed: a stall costs one block of text, never the turn.

A text is cut into overlapping blocks. A block that is not answered in time, or whose worker dies,
is masked whole, and the worker is killed and replaced. No worker means that the turn is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from queue import Empty, Queue
from threading import Event, Lock, Thread
from types import TracebackType

from guardrails.masking import WHOLE, joined
from guardrails.names.blocks import Block, blocks_of
from guardrails.names.process import Target, Worker
from guardrails.policy import NoWorkerError
from guardrails.types import Span


@dataclass(frozen=True, slots=True)
class PoolPolicy:
    """How many workers, and how long for what.

    A block of 2 KB takes some 40 ms. A worker that is killed is back within a second, so a text
    waits rather than being refused, also on a machine that is busy with something else.
    """

    workers: int = 1
    block_bytes: int = 2048
    overlap: int = 256
    """Code points that a block shares with the one before it; longer than any name."""
    block_s: float = 0.5
    """Time for a block; then its worker is killed."""
    wait_s: float = 10.0
    """How long a text waits for a worker; then the turn is refused."""
    start_s: float = 30.0
    """How long a worker may take to load, and how long the first text waits for one."""
    again_s: float = 1.0
    """Pause after a worker that could not start."""


class NamePool:
    """Finds names in worker processes. Thread-safe; started by `start`, or by the first text."""

    def __init__(
        self, target: Target, arguments: Sequence[str] = (), policy: PoolPolicy | None = None
    ) -> None:
        self._target = target
        self._arguments = tuple(arguments)
        self._policy = policy or PoolPolicy()
        self._idle: Queue[Worker] = Queue()
        self._workers: set[Worker] = set()
        self._lock = Lock()
        self._started = False
        self._closing = Event()
        self._warm = Event()

    def start(self) -> None:
        """Begin to start the workers; returns at once."""
        with self._lock:
            wanted = 0 if self._started else self._policy.workers
            self._started = True
        for _ in range(wanted):
            self._add()

    def wait(self, timeout_s: float) -> bool:
        """Whether a worker was ready within the time."""
        return self._warm.wait(timeout_s)

    def find(self, text: str) -> Sequence[Span]:
        self.start()
        blocks = blocks_of(text, self._policy.block_bytes, self._policy.overlap)
        return joined(span for block in blocks for span in self._in_block(text, block))

    def pids(self) -> tuple[int, ...]:
        """Processes of the workers that live or start."""
        with self._lock:
            return tuple(sorted(worker.pid for worker in self._workers))

    def close(self) -> None:
        """Kill every worker; later texts are refused."""
        self._closing.set()
        with self._lock:
            workers, self._workers = self._workers, set()
        for worker in workers:
            worker.kill()

    def __enter__(self) -> NamePool:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _in_block(self, text: str, block: Block) -> list[Span]:
        worker = self._take()
        found = None
        try:
            found = worker.ask(text[block.start : block.end], self._policy.block_s)
        finally:  # whatever broke off: an answer may still be on its way
            if found is None:
                self._drop(worker)
                self._add()
            else:
                self._idle.put(worker)
        if found is None:
            return [Span(block.start, block.end, WHOLE, 1.0)]
        return [replace(s, start=s.start + block.start, end=s.end + block.start) for s in found]

    def _take(self) -> Worker:
        """A worker that lives. Raises NoWorkerError."""
        wait_s = self._patience()
        try:
            while not (worker := self._idle.get(timeout=wait_s)).alive:
                self._drop(worker)
                self._add()
        except Empty:
            raise NoWorkerError(wait_s) from None
        return worker

    def _patience(self) -> float:
        if self._closing.is_set():
            return 0.0
        return self._policy.wait_s if self._warm.is_set() else self._policy.start_s

    def _drop(self, worker: Worker) -> None:
        with self._lock:
            mine = worker in self._workers
            self._workers.discard(worker)
        if mine:
            worker.kill()

    def _add(self) -> None:
        Thread(target=self._start_one, name="redaction-worker-start", daemon=True).start()

    def _start_one(self) -> None:
        """Until one is ready: a worker that cannot start is tried again after a pause."""
        while not self._closing.is_set():
            worker = Worker(self._target, self._arguments)
            with self._lock:
                self._workers.add(worker)
            if not self._closing.is_set() and worker.ready(self._policy.start_s):
                self._idle.put(worker)
                self._warm.set()
                return
            self._drop(worker)
            self._closing.wait(self._policy.again_s)
