"""A real HTTP server on 127.0.0.1 that keeps what it is sent and answers as it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from typing_extensions import override

WAIT_S = 15.0


@dataclass(frozen=True, slots=True)
class Sent:
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """`status` is the answer until it is changed; none comes before `go` is set.
    A body with `unfit` in it is refused. `taken` are those of `got` that were answered with 2xx."""

    url: str
    status: int = 200
    unfit: bytes = b""
    got: list[Sent] = field(default_factory=list)
    taken: list[Sent] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)

    def wait_for(self, wanted: Callable[[list[Sent]], bool]) -> list[Sent]:
        ends = time.monotonic() + WAIT_S
        while not wanted(self.got):
            if time.monotonic() > ends:
                raise TimeoutError(f"{len(self.got)} came, the last: {self.got[-1:]}")
            time.sleep(0.02)
        return list(self.got)

    def wait(self, count: int) -> list[Sent]:
        return self.wait_for(lambda got: len(got) >= count)


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver("")
    receiver.go.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            sent = Sent({k.lower(): v for k, v in self.headers.items()}, body)
            receiver.got.append(sent)
            receiver.go.wait(WAIT_S)
            unfit = receiver.unfit and receiver.unfit in body
            status = 400 if unfit else receiver.status
            if status < 300:
                receiver.taken.append(sent)
            self.send_response(status)
            if receiver.status in (301, 302):
                self.send_header("location", receiver.url + "/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        @override
        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.go.set()
        server.shutdown()
        server.server_close()
        thread.join()
