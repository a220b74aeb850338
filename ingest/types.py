"""The vocabulary of reading documentation: raw page, block, page, fault, and the source protocol.

IngestError
├── SourceError   a source cannot be read at all: the folder, repository or sitemap is missing
└── RulesError    the label rules file is broken
PageFault         one page cannot be read; `load` turns it into a `PageError` value and goes on
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from typing_extensions import override

from retrieval.types import FOR_ALL, Labels


class IngestError(Exception):
    """Base of what stops a whole run."""


class SourceError(IngestError):
    """A source cannot be read at all. The message says what, where and how to mend it."""


class RulesError(IngestError):
    """The rules file is broken at `path`:`line` (from 1; None where no line is to blame)."""

    def __init__(self, path: str, line: int | None, message: str) -> None:
        super().__init__(f"{path}{'' if line is None else f':{line}'}: {message}")
        self.path = path
        self.line = line


class PageFault(Exception):
    """One page cannot be read; never leaves `ingest`."""

    def __init__(self, message: str, hint: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.line = line


class Severity(StrEnum):
    """`error`: the page was left out. `warning`: the page was read, and something is odd in it."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class PageError:
    """What is wrong with one page, where, and how to mend it. `line` counts from 1."""

    path: str
    line: int | None
    message: str
    hint: str
    severity: Severity = Severity.ERROR

    @override
    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.message} ({self.hint})"


@dataclass(frozen=True, slots=True)
class Note:
    """A warning of a parser; `load` adds the path. `line` counts from 1 in the source file."""

    message: str
    hint: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class RawPage:
    """A page as its source holds it."""

    path: str  # below the source's root, posix, with suffix
    data: bytes
    url: str | None = None  # public address where the source knows it
    updated: str | None = None  # ISO date of the last change, where the source knows it


class Source(Protocol):
    """Where pages come from. Iterating twice reads twice; the order is by path."""

    @property
    def id(self) -> str:
        """Stable name of the source; part of every chunk."""
        ...

    def pages(self) -> Iterator[RawPage | PageError]:
        """Every page, lazily. Raises SourceError when the source cannot be read at all."""
        ...


class BlockKind(StrEnum):
    """What a block of a page is."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST = "list"
    TABLE = "table"
    CODE = "code"
    QUOTE = "quote"
    ANCHOR = "anchor"  # names the place where it stands; holds no text


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of whole lines of a page, as Markdown.

    `text` of a heading is its plain text, of an anchor empty, else verbatim lines without outer
    blank lines. `line` counts from 1 in the source file (the page number's line is unknown in PDF:
    1). `breaks` are offsets of lines of `text`, ascending, at which a long block may be cut: list
    items; `inner` are finer ones: what the items hold.
    """

    kind: BlockKind
    text: str
    line: int
    level: int = 0  # of a heading, 1..6
    anchor: str | None = None  # of a heading or an anchor
    tight: bool = False  # no blank line stands before it
    breaks: tuple[int, ...] = ()
    inner: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """What a parser makes of a page: blocks in order, and what the page says about itself."""

    blocks: tuple[Block, ...]
    meta: Mapping[str, object] = field(default_factory=dict)  # keys in lower case
    meta_lines: Mapping[str, int] = field(default_factory=dict)  # key to line, from 1
    title: str | None = None  # used where neither `meta` nor a first heading gives one
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class PageLabels:
    """Labels of a page before the caller's tenant is known; fields as in `retrieval.Labels`."""

    audience: tuple[str, ...] = (FOR_ALL,)
    plan: tuple[str, ...] = (FOR_ALL,)
    role: tuple[str, ...] = (FOR_ALL,)
    version: tuple[str, ...] = (FOR_ALL,)
    locale: tuple[str, ...] = (FOR_ALL,)
    owner: str | None = None
    updated: str | None = None

    def of(self, tenant: str) -> Labels:
        """The labels of a chunk of this page."""
        return Labels(
            tenant=tenant,
            audience=self.audience,
            plan=self.plan,
            role=self.role,
            version=self.version,
            locale=self.locale,
            owner=self.owner,
            updated=self.updated,
        )


@dataclass(frozen=True, slots=True)
class Page:
    """A page, read: everything that chunking and checking need, nothing redacted yet."""

    path: str  # below the source's root, posix, with suffix
    doc_id: str  # path without suffix; with it where two pages differ only by suffix
    title: str
    blocks: tuple[Block, ...]
    labels: PageLabels
    doc_version: str  # ISO date of the last update, else a short hash of the bytes
    digest: str  # SHA-256 of the bytes, hexadecimal
    url: str | None = None

    @property
    def anchors(self) -> frozenset[str]:
        """Every place on the page that a link or citation may point to."""
        return frozenset(block.anchor for block in self.blocks if block.anchor)
