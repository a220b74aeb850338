"""What a worker process does: blocks in, spans out, no network, nothing else.

    <- 1 byte `ready`
    -> the block as UTF-8        <- [[start, end, type, score], ...] as JSON

The pipe carries bytes alone; nothing is unpickled.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

from guardrails.names.types import NameFinder
from guardrails.types import Span

READY = b"\x01"
_FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork")


def serve(pipe: Connection, load: Callable[[], NameFinder]) -> None:
    """Until the pipe closes. Dies of what it cannot handle: the pool starts another."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-c is the pool's to handle
    finder = load()
    seal()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what it dies of may quote the text
    pipe.send_bytes(READY)
    while True:
        try:
            text = pipe.recv_bytes().decode("utf-8", "surrogatepass")
        except EOFError:
            return
        pipe.send_bytes(encoded(finder.find(text)))


def seal() -> None:
    """From here on this process opens no connection and starts no process; it cannot be undone."""
    sys.addaudithook(_refuse)


def _refuse(event: str, _: tuple[object, ...]) -> None:
    if event.startswith(_FORBIDDEN):
        raise PermissionError(f"{event} in a redaction worker")


def encoded(spans: Sequence[Span]) -> bytes:
    return json.dumps([(span.start, span.end, span.type, span.score) for span in spans]).encode()


def decoded(answer: bytes) -> list[Span]:
    """Raises ValueError or TypeError where it is no answer."""
    return [
        Span(int(start), int(end), str(type), float(score))
        for start, end, type, score in json.loads(answer)
    ]
