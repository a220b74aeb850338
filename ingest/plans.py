"""The vocabulary of a build: feed, plan, page, estimate, and who is told of progress."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol

from guardrails import Redactor
from ingest.chunking import CHUNKER, ChunkPolicy, chunk_page
from ingest.labels import LabelRules, load_rules
from ingest.types import IngestError, Page, PageError, Severity, Source
from retrieval.manifest import Manifest, PageRecord
from retrieval.types import Chunk, ChunkId


@dataclass(frozen=True, slots=True)
class Feed:
    """A source, and everything that turns its pages into labelled, redacted chunks."""

    source: Source
    tenant: str
    redactor: Redactor
    labels: LabelRules
    policy: ChunkPolicy
    rules: str
    """Fingerprint of labels, chunking and redaction: another one reads every page again."""
    folder: str | None = None
    """Where an ad-hoc source lies; later runs read it again. None: it is configured."""

    def chunks(self, page: Page) -> list[Chunk]:
        """The page cut, redacted and labelled, in order."""
        return chunk_page(
            page,
            tenant=self.tenant,
            source=self.source.id,
            redactor=self.redactor,
            policy=self.policy,
        )


def feed_of(
    source: Source,
    tenant: str,
    redactor: Redactor,
    *,
    labels: Path | None = None,
    policy: ChunkPolicy | None = None,
    redaction: str = "",
) -> Feed:
    """A feed whose label rules stand in the file `labels`; `redaction` names the redactor's rules.

    Raises RulesError.
    """
    chosen = policy or ChunkPolicy()
    rules = LabelRules() if labels is None else load_rules(labels)
    written = b"" if labels is None else labels.read_bytes()
    parts = (CHUNKER, repr(chosen), redaction, hashlib.sha256(written).hexdigest())
    fingerprint = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return Feed(source, tenant, redactor, rules, chosen, fingerprint)


class StoredChunks(Protocol):
    """The chunks of the current version, as planning reads them."""

    def page(self, tenant: str, doc_id: str) -> tuple[Chunk, ...]: ...

    def with_hashes(self, digests: Iterable[str]) -> Mapping[str, ChunkId]: ...


class Progress(Protocol):
    """Told after every step of a phase (`read`, `encode`, `check`, `switch`)."""

    def __call__(self, phase: str, done: int, total: int | None) -> None: ...


class Change(StrEnum):
    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class PlannedPage:
    """One page and what becomes of it. `record` is None when the page goes."""

    source: str
    path: str
    change: Change
    record: PageRecord | None
    kept_after_error: bool = False  # broken now; its last good version stays


@dataclass(frozen=True, slots=True)
class Estimate:
    """What embedding will take: tokens by length of text, seconds by the last build's speed."""

    chunks: int
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a build does. `base` is None when the version is built from nothing."""

    base: str | None
    pages: tuple[PlannedPage, ...]
    problems: tuple[PageError, ...]
    put: tuple[Chunk, ...] = ()
    drop: tuple[ChunkId, ...] = ()
    reuse: Mapping[str, ChunkId] = field(default_factory=dict)  # content hash -> chunk of `base`
    chunks: Mapping[Change, int] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    estimate: Estimate = Estimate(0, 0, 0.0)
    deletable: int = 0  # pages that the sources of this run had before

    def count(self, change: Change) -> int:
        """Pages with this change."""
        return sum(page.change is change for page in self.pages)

    @property
    def records(self) -> tuple[PageRecord, ...]:
        return tuple(page.record for page in self.pages if page.record is not None)

    @property
    def failed(self) -> int:
        """Problems that left a page out or made its last good version stay."""
        return sum(problem.severity is Severity.ERROR for problem in self.problems)

    @property
    def delete_ratio(self) -> float:
        """Pages to be removed, of those that the sources of this run had before."""
        return self.count(Change.REMOVED) / self.deletable if self.deletable else 0.0


class TooManyDeletionsError(IngestError):
    """The run would remove a larger share of the pages than allowed; nothing was changed."""

    def __init__(self, plan: Plan, limit: float) -> None:
        self.plan = plan
        gone = plan.count(Change.REMOVED)
        super().__init__(
            f"this run would remove {gone} of {plan.deletable} pages "
            f"({plan.delete_ratio:.0%}, allowed are {limit:.0%}); nothing was changed. "
            "If they are gone on purpose, run it again with --prune; "
            "if not, check that the source is complete"
        )


class Base(NamedTuple):
    """The current version, as planning sees it. `reusable`: its vectors may be carried over."""

    manifest: Manifest
    chunks: StoredChunks
    reusable: bool
