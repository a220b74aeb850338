"""What commands that read personal data share: a row in the audit log comes before the data."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TextIO

import typer
from sqlalchemy.exc import DBAPIError

from embark.layers import UnreachableError
from embark.records import Books, open_books
from embark.settings import Settings
from guardrails.audit import Note, What, named, new_request_id
from guardrails.store import StoreUnavailableError
from tools.journal import JournalUnavailableError

OPERATOR = "operator"
"""Who asks, as receipts and the audit log name whoever holds the command line."""
PRIVATE = 0o600
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
To = Annotated[Path | None, typer.Option(help="New file, for you alone to read.")]


@dataclass(frozen=True, slots=True)
class Reader:
    """The books for one command."""

    books: Books
    tenant: str
    who: str
    route: str
    request_id: str

    async def note(self, what: What, *about: str | None) -> None:
        """A row about each of these, one about nobody in particular where none is named. Raises
        StoreUnavailableError: nothing is shown then."""
        for whom in dict.fromkeys(about or (None,)):
            person = None if whom is None else named(whom)
            row = Note(self.tenant, named(self.who), what, person, self.route, self.request_id)
            await self.books.audit.write(row)


@contextmanager
def reading(settings: Settings, command: str, by: str = OPERATOR) -> Iterator[Reader]:
    """Until the context ends. Raises ConfigurationError, UnreachableError."""
    with reported(), open_books(settings) as books:
        yield Reader(books, settings.tenant, by, f"embark {command}", new_request_id())


@contextmanager
def reported() -> Iterator[None]:
    """A database that does not answer as the error that every command reports."""
    try:
        yield
    except (StoreUnavailableError, JournalUnavailableError, DBAPIError) as failure:
        raise UnreachableError(f"a database does not answer: {type(failure).__name__}") from failure


@contextmanager
def sink(to: Path | None) -> Iterator[TextIO]:
    """A new file for its owner alone, else stdout."""
    if to is None:
        yield sys.stdout
        return
    try:
        to.touch(PRIVATE, exist_ok=False)
    except OSError as failure:
        raise typer.BadParameter(f"{to}: {failure.strerror}") from failure
    with to.open("w", encoding="utf-8") as stream:
        yield stream


async def written(lines: AsyncIterator[bytes], stream: TextIO) -> int:
    """How many lines."""
    count = 0
    async for line in lines:
        stream.write(line.decode())
        count += 1
    return count
