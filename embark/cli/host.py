"""The host product beside the demo: started, waited for, and stopped again."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import JsonValue

from embark.cli.output import note
from embark.layers import ConfigurationError, UnreachableError
from embark.settings import Settings
from tools.flows.values import at

_POINTER = re.compile(r"\{(/[^}]*)\}")
READY_S = 30.0
STOP_S = 5.0


@contextmanager
def host_product(settings: Settings, copilot: str) -> Iterator[str]:
    """Runs `demo.command` for as long as the block; the token of the user who opens the page.
    `copilot` is the address of our own page, for the product to link to, and below it of what
    takes its events.

    Without a command nothing runs and the token is empty. Raises UnreachableError when the product
    is not ready in time, ConfigurationError when it cannot be started.
    """
    demo = settings.demo
    if not demo.command:
        yield ""
        return
    data = settings.data_dir / "host"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    session = data / demo.session_file
    session.unlink(missing_ok=True)
    words = {
        "{python}": sys.executable,
        "{data}": str(data),
        "{copilot}": copilot,
        "{events_url}": f"{copilot}/v1/batch",
        "{events_key}": settings.onboarding.events.key() or "",
    }
    command = [words.get(word, word) for word in demo.command]
    try:
        process = subprocess.Popen(command, cwd=demo.folder, env=_environment(demo.folder))
    except OSError as failure:
        raise ConfigurationError([f"demo.command: {command[0]}: {failure.strerror}"]) from failure
    try:
        said = _session(process, session)
        note(f"the host product runs beside it{_page(demo.page, said)}")
        yield _token(said, demo.token, session.name)
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()


def _environment(folder: Path | None) -> dict[str, str]:
    """Ours, with the product's folder to import from."""
    path = [str(folder)] if folder else []
    earlier = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*path, *([earlier] if earlier else [])])}


def _session(process: subprocess.Popen[bytes], session: Path) -> JsonValue:
    """What the product says once it is ready."""
    ends = time.monotonic() + READY_S
    while not session.exists():
        if process.poll() is not None:
            raise UnreachableError(f"the host product ended at once, with {process.returncode}")
        if time.monotonic() > ends:
            raise UnreachableError(f"the host product was not ready within {READY_S:g} s")
        time.sleep(0.05)
    said: JsonValue = json.loads(session.read_text("utf-8"))
    return said


def _token(said: JsonValue, pointer: str, name: str) -> str:
    found = at(said, pointer)
    if not isinstance(found, str):
        raise ConfigurationError([f"demo.token: {name} holds no text at {pointer}"])
    return found


def _page(template: str, said: JsonValue) -> str:
    """`template` with each `{/pointer}` looked up; nothing without one."""
    shown = _POINTER.sub(lambda found: str(at(said, found[1])), template)
    return f": {shown}" if shown else ""
