"""Workers that start at once and misbehave on demand; run in processes of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from multiprocessing.connection import Connection
from pathlib import Path

from guardrails.names.worker import READY, encoded, seal
from guardrails.types import Span


def run(pipe: Connection, folder: str) -> None:
    """Finds `Maria`; hangs on STALL, dies on CRASH, talks nonsense on LIE, dials out on DIAL."""
    seal()
    pipe.send_bytes(READY)
    while True:
        text = pipe.recv_bytes().decode("utf-8", "surrogatepass")
        while "STALL" in text:
            time.process_time()
        if "CRASH" in text:
            os._exit(3)
        if "LIE" in text:
            pipe.send_bytes(encoded([Span(0, len(text) + 1, "PERSON", 1.0)]))
        elif "DIAL" in text:
            pipe.send_bytes(encoded([Span(0, 4, _dial(), 1.0)]))
        else:
            at = text.find("Maria")
            pipe.send_bytes(encoded([Span(at, at + 5, "PERSON", 0.5)] if at >= 0 else []))


def never(pipe: Connection, folder: str) -> None:
    """Ends before it is ready."""


def slow(pipe: Connection, folder: str) -> None:
    """Starts once, then never again: the folder is its memory."""
    started = Path(folder) / "started"
    if started.exists():
        time.sleep(60)
    started.touch()
    run(pipe, folder)


def _dial() -> str:
    """What comes of opening a connection and of starting a process."""
    outcomes = []
    for deed in (
        lambda: socket.create_connection(("127.0.0.1", 9), timeout=1),
        socket.socket,
        lambda: subprocess.run(["true"], check=False),
        lambda: os.system("true"),
    ):
        try:
            deed()
            outcomes.append("DONE")
        except PermissionError:
            outcomes.append("REFUSED")
    return ",".join(outcomes)
