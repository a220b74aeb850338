"""pages as they are + the version as it is -> what to add, replace, remove and leave alone.

A page whose bytes and rules are those of the current version is not even parsed. A page that
cannot be read keeps the chunks of its last good version, and is reported.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from ingest.pages import load
from ingest.plans import Base, Change, Estimate, Feed, Plan, PlannedPage, Progress
from ingest.types import Page, PageError, RawPage, Severity
from retrieval.manifest import PageRecord
from retrieval.representation import dense_text
from retrieval.types import Chunk, ChunkId

CHARS_PER_TOKEN = 4  # English prose in WordPiece; for the estimate only
CHUNKS_PER_S = 70.0  # of the packaged encoder on two cores; used until a build has measured it


class _Key(NamedTuple):
    source: str
    path: str


def make_plan(
    feeds: Sequence[Feed], base: Base | None, *, everything: bool, progress: Progress
) -> Plan:
    """Read the sources of `feeds` and compare them with `base`.

    Pages of other sources stay as they are, unless `feeds` are `everything` there is: then they
    are gone. Raises SourceError and RulesError.
    """
    planner = _Planner(feeds, base, everything=everything)
    planner.keep_other_sources()
    for feed in feeds:
        fresh = _Fresh(feed, planner, progress)
        for page in load(fresh, feed.labels):
            if isinstance(page, PageError):
                planner.fault(feed, page)
            else:
                planner.read(feed, page, fresh.digests[page.path])
    planner.drop_what_is_gone()
    return planner.plan()


def digest_of(page: RawPage) -> str:
    """SHA-256, hexadecimal, of the bytes and of what the source says beside them."""
    digest = hashlib.sha256(page.data)
    digest.update(f"\0{page.url}\0{page.updated}".encode())
    return digest.hexdigest()


class _Fresh:
    """The pages of a source that must be read: those that are not as they were."""

    def __init__(self, feed: Feed, planner: _Planner, progress: Progress) -> None:
        self.digests: dict[str, str] = {}
        self._feed = feed
        self._planner = planner
        self._progress = progress

    @property
    def id(self) -> str:
        return self._feed.source.id

    def pages(self) -> Iterator[RawPage | PageError]:
        for seen, page in enumerate(self._feed.source.pages(), start=1):
            self._progress("read", seen, None)
            if isinstance(page, PageError):
                yield page
                continue
            digest = digest_of(page)
            if not self._planner.unchanged(self._feed, page.path, digest):
                self.digests[page.path] = digest
                yield page


class _Planner:
    def __init__(self, feeds: Sequence[Feed], base: Base | None, *, everything: bool) -> None:
        self._feeds = feeds
        self._base = base
        self._reusing = base is not None and base.reusable
        pages = base.manifest.pages if base is not None else ()
        self._old = {_Key(page.source, page.path): page for page in pages}
        named = {feed.source.id for feed in feeds}
        self._synced = named | {key.source for key in self._old} if everything else named
        self._unseen = {key: rec for key, rec in self._old.items() if key.source in self._synced}
        self._deletable = len(self._unseen)
        self._pages: list[PlannedPage] = []
        self._problems: list[PageError] = []
        self._put: list[Chunk] = []
        self._drop: list[ChunkId] = []
        self._chunks = dict.fromkeys(Change, 0)
        self._owners: dict[str, _Key] = {}

    def keep_other_sources(self) -> None:
        for key, record in self._old.items():
            if key.source not in self._synced:
                self._keep(record)

    def unchanged(self, feed: Feed, path: str, digest: str) -> bool:
        """Whether the page needs no reading; then it is kept."""
        key = _Key(feed.source.id, path)
        record = self._unseen.get(key)
        if not self._reusing or record is None or not _same(record, digest, feed):
            return False
        if self._owners.get(record.doc_id, key) != key:  # a new page has taken its name
            return False
        self._keep(self._unseen.pop(key))
        return True

    def fault(self, feed: Feed, problem: PageError) -> None:
        self._problems.append(problem)
        if problem.severity is Severity.ERROR:
            self._keep_last_good(self._unseen.pop(_Key(feed.source.id, problem.path), None))

    def read(self, feed: Feed, page: Page, digest: str) -> None:
        key = _Key(feed.source.id, page.path)
        owner = self._owners.get(page.doc_id, key)
        if owner.source != key.source:
            self.fault(feed, _name_taken(key, owner))
            return
        if owner != key:  # the twin was not read this time, so `load` could not know
            page = replace(page, doc_id=page.path)
        self._owners[page.doc_id] = key
        chunks = feed.chunks(page)
        record = PageRecord(*key, page.doc_id, feed.tenant, digest, feed.rules, len(chunks))
        self._replace(self._unseen.pop(key, None), record, chunks)

    def drop_what_is_gone(self) -> None:
        for key, record in self._unseen.items():
            self._pages.append(PlannedPage(*key, Change.REMOVED, None))
            self._chunks[Change.REMOVED] += record.chunks
            self._dropped(chunk.id for chunk in self._stored(record))

    def plan(self) -> Plan:
        reuse: Mapping[str, ChunkId] = {}
        if self._base is not None and self._reusing:
            reuse = self._base.chunks.with_hashes({chunk.content_hash for chunk in self._put})
        fresh = {c.content_hash: c for c in self._put if c.content_hash not in reuse}
        return Plan(
            base=self._base.manifest.version if self._base is not None and self._reusing else None,
            pages=tuple(self._pages),
            problems=tuple(self._problems),
            put=tuple(self._put),
            drop=tuple(self._drop),
            reuse=reuse,
            chunks=self._chunks,
            folders=self._folders(),
            estimate=_estimate(tuple(fresh.values()), self._chunks_per_s()),
            deletable=self._deletable,
        )

    def _keep(self, record: PageRecord, *, after_error: bool = False) -> None:
        self._owners[record.doc_id] = _Key(record.source, record.path)
        self._pages.append(
            PlannedPage(record.source, record.path, Change.UNCHANGED, record, after_error)
        )
        self._chunks[Change.UNCHANGED] += record.chunks
        if not self._reusing:
            self._put.extend(self._stored(record))

    def _keep_last_good(self, record: PageRecord | None) -> None:
        if record is not None:
            self._keep(record, after_error=True)

    def _replace(self, old: PageRecord | None, record: PageRecord, chunks: Sequence[Chunk]) -> None:
        change = Change.ADDED if old is None else Change.CHANGED
        before = {chunk.id: chunk for chunk in self._stored(old)}
        if before and not self._reusing and tuple(before.values()) == tuple(chunks):
            change = Change.UNCHANGED
        self._pages.append(PlannedPage(record.source, record.path, change, record))
        for chunk in chunks:
            what = _change(before.pop(chunk.id, None), chunk)
            self._chunks[what] += 1
            if what is not Change.UNCHANGED or not self._reusing:
                self._put.append(chunk)
        self._chunks[Change.REMOVED] += len(before)
        self._dropped(before)

    def _dropped(self, ids: Iterable[ChunkId]) -> None:
        if self._reusing:  # else the draft starts empty
            self._drop.extend(ids)

    def _stored(self, record: PageRecord | None) -> tuple[Chunk, ...]:
        if record is None or self._base is None:
            return ()
        return self._base.chunks.page(record.tenant, record.doc_id)

    def _folders(self) -> Mapping[str, str]:
        """Ad-hoc sources that still have a page or were read now."""
        before = self._base.manifest.folders if self._base is not None else {}
        left = {page.source for page in self._pages if page.record is not None}
        named = {feed.source.id: feed.folder for feed in self._feeds}
        merged = {**before, **{name: folder for name, folder in named.items() if folder}}
        return {name: folder for name, folder in merged.items() if name in left}

    def _chunks_per_s(self) -> float:
        """As the last build measured it, when it embedded enough to tell."""
        if self._base is None:
            return CHUNKS_PER_S
        last = self._base.manifest
        took = last.timings_s.get("encode", 0.0)
        return last.encoded / took if last.encoded >= CHUNKS_PER_S and took > 0 else CHUNKS_PER_S


def _same(record: PageRecord, digest: str, feed: Feed) -> bool:
    return (record.digest, record.rules, record.tenant) == (digest, feed.rules, feed.tenant)


def _change(old: Chunk | None, new: Chunk) -> Change:
    if old is None:
        return Change.ADDED
    return Change.UNCHANGED if old == new else Change.CHANGED


def _name_taken(key: _Key, owner: _Key) -> PageError:
    """Chunk ids are made of page names, so two sources must not have a page of one name."""
    message = f"source {owner.source!r} already has a page of this name, {owner.path}"
    hint = f"rename one of the two, or let source {key.source!r} start one folder higher"
    return PageError(key.path, None, message, hint)


def _estimate(chunks: Sequence[Chunk], per_s: float) -> Estimate:
    tokens = sum(len(dense_text(chunk)) // CHARS_PER_TOKEN + 1 for chunk in chunks)
    return Estimate(len(chunks), tokens, len(chunks) / per_s)
