"""One worker process as the pool sees it: asked, timed, killed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from multiprocessing import get_context

from guardrails.names.worker import READY, decoded
from guardrails.types import Span

Target = Callable[..., None]
"""Module-level function of a connection and the arguments of the pool, which are pickled."""
_LONGEST = 1 << 20
"""Bytes of an answer: a block of 2 KB has at most that many spans many times over."""
_BROKEN = (OSError, EOFError, ValueError, TypeError)


class Worker:
    """A process of its own, spawned: it shares no memory, file or lock with this one."""

    def __init__(self, target: Target, arguments: Sequence[str]) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=target, args=(theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()
        self.pid = self._process.pid or 0
        self._killed = False

    @property
    def alive(self) -> bool:
        return not self._killed and self._process.is_alive()

    def ready(self, timeout_s: float) -> bool:
        """Waits until the worker has loaded its model; False if it did not, or died."""
        try:
            return self._pipe.poll(timeout_s) and self._pipe.recv_bytes(len(READY)) == READY
        except _BROKEN:
            return False

    def ask(self, text: str, timeout_s: float) -> list[Span] | None:
        """Spans of the text; None if there was no good answer in time. The worker is lost then."""
        try:
            self._pipe.send_bytes(text.encode("utf-8", "surrogatepass"))
            if not self._pipe.poll(timeout_s):
                return None
            spans = decoded(self._pipe.recv_bytes(_LONGEST))
        except _BROKEN:
            return None
        return spans if all(0 <= s.start < s.end <= len(text) for s in spans) else None

    def kill(self) -> None:
        self._killed = True
        self._process.kill()
        self._process.join()
        self._process.close()
        self._pipe.close()
