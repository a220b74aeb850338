"""JSONL in, JSONL out: one record a line, in input order, whatever happens to a line."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import orjson
import structlog
import typer

from embark.cli.output import ExitCode, emit_line
from retrieval.types import LABEL_FIELDS, PROPERTY_FIELDS

FILTERABLE = (*LABEL_FIELDS, *PROPERTY_FIELDS)
_BOM = b"\xef\xbb\xbf"
_log = structlog.get_logger(__name__)

Record = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Question:
    """One line that can be worked on."""

    id: str
    text: str
    narrow: Mapping[str, frozenset[str]] = field(default_factory=dict)


class LineError(Exception):
    """A line that cannot be worked on, or failed; `id` is None where it could not be read."""

    def __init__(self, id: str | None, message: str) -> None:
        super().__init__(message)
        self.id = id


def questions(file: IO[bytes]) -> Iterator[Question | LineError]:
    """Every line of a JSONL file, good or bad; lines end at LF alone."""
    for number, line in enumerate(file):
        try:
            yield question(line.removeprefix(_BOM) if number == 0 else line)
        except LineError as bad:
            yield bad


def question(line: bytes) -> Question:
    """`{"id", "text"[, "filter"]}`; further keys are ignored. Raises LineError."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as failure:
        raise LineError(None, f"not valid JSON: {failure}") from failure
    if not isinstance(record, dict):
        raise LineError(None, "not a JSON object")
    name = record.get("id")
    if not isinstance(name, str):
        raise LineError(None, "`id` must be a string")
    text = record.get("text")
    if not isinstance(text, str):
        raise LineError(name, "`text` must be a string")
    return Question(name, text, _narrow(name, record.get("filter")))


def _narrow(id: str, given: object) -> Mapping[str, frozenset[str]]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise LineError(id, "`filter` must be an object of field to value or list of values")
    for name in given:
        if name not in FILTERABLE:
            raise LineError(id, f"unknown filter field {name!r}; known: {', '.join(FILTERABLE)}")
    return {name: _values(id, name, value) for name, value in given.items()}


def _values(id: str, name: str, given: object) -> frozenset[str]:
    listed = given if isinstance(given, list) else [given]
    if not all(isinstance(value, str | int | float) for value in listed):
        raise LineError(id, f"filter field {name!r} must be a value or a list of values")
    return frozenset(str(value) for value in listed)


async def run_batch(
    file: IO[bytes], answer: Callable[[Question], Awaitable[Record]], at_once: int
) -> ExitCode:
    """Write one record a line; `answer` raises LineError for a line that fails.

    At most `at_once` questions are under way; records leave as soon as their turn has come.
    """
    failed = False
    async for record in _in_order(file, answer, at_once):
        failed |= "error" in record
        emit_line(record)
    return ExitCode.FAILED if failed else ExitCode.OK


def opened(path: Path) -> IO[bytes]:
    """The batch file; `-` is stdin. A file that cannot be read is a usage error."""
    if str(path) == "-":
        return sys.stdin.buffer
    try:
        return path.open("rb")
    except OSError as failure:
        raise typer.BadParameter(f"{path}: {failure.strerror}", param_hint="--batch") from failure


async def _in_order(
    file: IO[bytes], answer: Callable[[Question], Awaitable[Record]], at_once: int
) -> AsyncIterator[Record]:
    waiting: deque[tuple[str | None, asyncio.Task[Record]]] = deque()
    try:
        for line in questions(file):
            if len(waiting) >= at_once:
                yield await _outcome(*waiting.popleft())
            waiting.append((line.id, asyncio.create_task(_worked(line, answer))))
        while waiting:
            yield await _outcome(*waiting.popleft())
    finally:
        for _, task in waiting:
            task.cancel()


async def _worked(
    line: Question | LineError, answer: Callable[[Question], Awaitable[Record]]
) -> Record:
    if isinstance(line, LineError):
        raise line
    return await answer(line)


async def _outcome(id: str | None, task: asyncio.Task[Record]) -> Record:
    """The record, or why there is none: a fault in one line does not take the batch with it."""
    await asyncio.wait([task])
    failure = task.exception()
    if failure is None:
        return task.result()
    if isinstance(failure, LineError):
        return {"id": id, "error": str(failure)}
    _log.error("batch.line_failed", id=id, exc_info=failure)
    return {"id": id, "error": f"internal error: {type(failure).__name__}"}
