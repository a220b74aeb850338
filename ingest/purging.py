"""A page is to be gone for good: build afresh, switch, delete all older versions, look at bytes.

An index only marks what is deleted, and keeps it in its log; so nothing is copied from the version
before, and that version goes as a whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ingest.plans import Feed
from ingest.sync import Outcome, RunOptions, Sync, SyncReport
from ingest.types import IngestError
from retrieval.archive import Archive
from retrieval.index import IndexUnavailableError
from retrieval.manifest import PageRecord
from retrieval.probing import found_below

PATIENCE_S = 10.0
"""How long servers may take to follow the switch; each does with its next question or probe."""
_LOOK_S = 0.2
_WORDS = 64  # characters of a chunk's text that are looked for; a database page holds them whole


class StillThereError(IngestError):
    """What is to be purged is still in a source; nothing was done."""


@dataclass(frozen=True, slots=True)
class PurgeReport:
    """`removed` are versions; `in_use` are those that somebody does not let go of. `sought` is how
    many pieces of removed chunks were looked for, and `left` where they still lie, by file."""

    run: SyncReport
    removed: tuple[str, ...] = ()
    in_use: tuple[str, ...] = ()
    sought: int = 0
    left: Mapping[str, int] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        return self.run.outcome is Outcome.PUBLISHED and not self.in_use and not self.left


@dataclass(frozen=True, slots=True)
class Purge:
    """`folder` is where the bytes are looked at; None where they lie on a server."""

    archive: Archive
    sync: Sync
    clock: Callable[[], datetime]
    folder: Path | None
    patience_s: float = field(default_factory=lambda: PATIENCE_S)

    def run(self, feeds: Sequence[Feed], pages: Collection[str] = ()) -> PurgeReport:
        """`pages` are paths that must not be there afterwards. Raises StillThereError before
        anything is done, and what `Sync.run` raises."""
        fresh = RunOptions(full=True, prune=True)
        if pages:
            self._check_gone(self.sync.plan(feeds, fresh).records, pages)
        before = self._contents()
        report = self.sync.run(feeds, fresh)
        if report.outcome is not Outcome.PUBLISHED or report.version is None:
            return PurgeReport(report)
        removed, in_use = self._removed()
        needles = self._only_before(before, report.version)
        left = {} if self.folder is None else found_below(self.folder, needles)
        return PurgeReport(report, removed, in_use, len(needles), left)

    def _check_gone(self, records: Sequence[PageRecord], pages: Collection[str]) -> None:
        there = {record.path for record in records}
        if still := sorted(set(pages) & there):
            raise StillThereError(
                f"{', '.join(still)}: still in the sources, so the next run would bring it back; "
                "take it out there, then purge"
            )

    def _contents(self) -> set[bytes]:
        versions = [record.name for record in self.archive.status().records]
        return set().union(*map(self._content, versions))

    def _content(self, version: str) -> set[bytes]:
        """What a chunk is known by, in vectors and in text; nothing of a version that is gone."""
        found: set[bytes] = set()
        try:
            with self.archive.chunks(version) as chunks:
                for chunk in chunks.chunks():
                    words = chunk.text.splitlines()[0][:_WORDS]
                    found |= {chunk.content_hash.encode(), words.encode()}
        except IndexUnavailableError:
            return set()
        return found

    def _only_before(self, before: set[bytes], version: str) -> set[bytes]:
        """Without what stands in a page that stays, wherever it stands there."""
        gone = before - self._content(version)
        with self.archive.chunks(version) as chunks:
            for chunk in chunks.chunks():
                text = chunk.text.encode()
                gone -= {needle for needle in gone if needle in text}
        return gone

    def _removed(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        end = time.monotonic() + self.patience_s
        removed: tuple[str, ...] = ()
        while True:
            with self.archive.writing():
                done = self.archive.purge(self.clock())
            removed += done.removed
            if not done.in_use or time.monotonic() > end:
                return removed, done.in_use
            time.sleep(_LOOK_S)
