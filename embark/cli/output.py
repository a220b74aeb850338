"""Console, exit codes and settings: what every command shares.

Data goes to stdout, messages and progress to stderr; no colour away from a terminal.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any

import orjson
import structlog
import typer
from pydantic import JsonValue
from rich.console import Console

from embark.cli import Invocation
from embark.layers import ConfigurationError, Loaded, UnreachableError, load_settings
from embark.settings import Settings
from guardrails.logging import RedactStrings
from guardrails.patterns import PatternRedactor
from guardrails.policy import TurnRefusedError
from retrieval.index import IndexLockedError, IndexUnavailableError, NoIndexError, RetrievalError

SCHEMA_VERSION = 1
"""Of every `--json` object; raised when a key is renamed or removed."""

out = Console(soft_wrap=True, highlight=False, emoji=False)
err = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)


class ExitCode(IntEnum):
    """What the process ends with; documented, scripts rely on it."""

    OK = 0
    FAILED = 1  # failed pages or lines, failed verification, doctor red
    USAGE = 2
    CONFIGURATION = 3
    UNREACHABLE = 4
    GATE = 5  # validation refused the switch
    LOCKED = 6
    CHANGES = 10  # `diff --exit-code`
    INTERRUPTED = 130


CODES: dict[type[Exception], ExitCode] = {
    ConfigurationError: ExitCode.CONFIGURATION,
    UnreachableError: ExitCode.UNREACHABLE,
    NoIndexError: ExitCode.CONFIGURATION,
    IndexLockedError: ExitCode.LOCKED,
    IndexUnavailableError: ExitCode.UNREACHABLE,
    RetrievalError: ExitCode.FAILED,
    TurnRefusedError: ExitCode.FAILED,
}


@contextmanager
def reporting() -> Iterator[None]:
    """Turn an expected error into one message on stderr and its exit code."""
    try:
        yield
    except tuple(CODES) as failure:
        kind = next(k for k in type(failure).__mro__ if k in CODES)
        fail(str(failure))
        raise typer.Exit(CODES[kind]) from failure


def fail(message: str, hint: str | None = None) -> None:
    """Say what went wrong and how to mend it; the caller chooses the exit code."""
    err.print("error:", style="bold red", end=" ")
    err.print(message, markup=False)
    if hint:
        err.print(f"hint: {hint}", markup=False)


def note(message: str) -> None:
    """A line for people: on stderr, dimmed on a terminal."""
    err.print(message, style="dim", markup=False)


def emit(document: Mapping[str, Any]) -> None:
    """One JSON object on stdout, with its schema version first."""
    sys.stdout.write(json.dumps({"schema_version": SCHEMA_VERSION, **document}, indent=2) + "\n")


def emit_line(record: Mapping[str, Any]) -> None:
    """One JSONL record on stdout, flushed so that a reader sees it at once."""
    sys.stdout.write(orjson.dumps(record).decode() + "\n")
    sys.stdout.flush()


def load(ctx: typer.Context, flags: Mapping[str, JsonValue] | None = None) -> Loaded:
    """Settings with their origins; of `flags`, those that are None count as not given.

    Raises ConfigurationError (exit 3).
    """
    chosen = ctx.obj if isinstance(ctx.obj, Invocation) else Invocation(None, (), no_input=False)
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    assigned = dict(_assignment(text) for text in chosen.assignments)
    loaded = load_settings(chosen.config, assigned | given)
    _log_to_stderr(loaded.settings.log_level)
    return loaded


def settings_of(ctx: typer.Context, flags: Mapping[str, JsonValue] | None = None) -> Settings:
    """The settings of this invocation, such as `settings_of(ctx, {"server.port": port})`.

    Raises ConfigurationError (exit 3), also where something is not in the region that is set.
    """
    settings = load(ctx, flags).settings
    if settings.region is not None:
        from embark.region_parts import check_regions  # noqa: PLC0415  # paid by who sets one

        check_regions(settings)
    return settings


def _log_to_stderr(level: str) -> None:
    """One JSON object a line; stdout belongs to data. Strings are redacted, values of exceptions
    are left out."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _place_of_exception,
            RedactStrings(PatternRedactor()),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


def _place_of_exception(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Type and place; messages and local values may hold what a user wrote."""
    failure = event.pop("exc_info", None)
    if isinstance(failure, BaseException):
        event["exception"] = type(failure).__qualname__
        last = traceback.extract_tb(failure.__traceback__)[-1:]
        event["place"] = ", ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in last)
    return event


def _assignment(text: str) -> tuple[str, JsonValue]:
    key, sign, raw = text.partition("=")
    if not sign or not key:
        raise ConfigurationError([f"--set {text}: write KEY=VALUE, such as model.name=tiny"])
    try:
        value: JsonValue = json.loads(raw)
    except json.JSONDecodeError:
        value = raw
    return key, value
