"""plan -> draft -> encode -> gate -> switch: one build of the index.

plan = sync.plan(feeds)              what would change; nothing is written
report = sync.run(feeds, options)    the same under the writer's lock, carried out
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random

from ingest.chunking import CHUNKER
from ingest.gate import Gate, GateReport
from ingest.planning import make_plan
from ingest.plans import Base, Feed, Plan, Progress, TooManyDeletionsError
from retrieval.archive import Archive, Draft
from retrieval.chunk_tables import SCHEMA
from retrieval.index import IndexUnavailableError, Point
from retrieval.manifest import Manifest, fingerprint_of, version_name
from retrieval.representation import REPRESENTATION, dense_text, sparse_passage
from retrieval.types import Chunk, ChunkId, Encoder, Vector

_BATCH = 256  # chunks a step: it fills the encoder, and progress moves every few seconds
MAX_DELETE_RATIO = 0.2


class Outcome(StrEnum):
    PUBLISHED = "published"
    UNCHANGED = "unchanged"  # nothing to do; no version was made
    PLANNED = "planned"  # a dry run
    REFUSED = "refused"  # by the gate; the version before stays current


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What one run may do."""

    full: bool = False
    """Read and embed everything again, copying nothing."""
    everything: bool = True
    """The feeds are all sources there are: pages of others are gone."""
    prune: bool = False
    """Remove pages however many they are."""
    max_delete_ratio: float = MAX_DELETE_RATIO
    """Largest share of pages, 0..1, that may go without `prune`."""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a run did. `version` is current now; None when nothing was ever published."""

    outcome: Outcome
    version: str | None
    previous: str | None
    plan: Plan
    gate: GateReport | None
    encoded: int  # chunks embedded; the others were carried over
    timings_s: Mapping[str, float]


def silent(phase: str, done: int, total: int | None) -> None:
    """Progress that nobody watches."""


class Sync:
    """Builds versions into an archive. One run at a time; the archive's lock sees to it."""

    def __init__(
        self,
        archive: Archive,
        encoder: Encoder,
        gate: Gate,
        *,
        clock: Callable[[], datetime],
        rng: Random,
        progress: Progress = silent,
    ) -> None:
        self._archive = archive
        self._encoder = encoder
        self._gate = gate
        self._clock = clock
        self._rng = rng
        self._progress = progress

    @property
    def fingerprint(self) -> str:
        """Versions of equal fingerprint can share vectors."""
        return fingerprint_of(
            {
                "encoder": self._encoder.fingerprint,
                "dimension": str(self._encoder.dimension),
                "chunker": CHUNKER,
                "representation": REPRESENTATION,
                "schema": SCHEMA,
            }
        )

    def plan(self, feeds: Sequence[Feed], options: RunOptions | None = None) -> Plan:
        """Compare without writing. Raises SourceError, RulesError, IndexUnavailableError."""
        chosen = options or RunOptions()
        with self._base(chosen) as base:
            return make_plan(feeds, base, everything=chosen.everything, progress=self._progress)

    def run(self, feeds: Sequence[Feed], options: RunOptions | None = None) -> SyncReport:
        """Bring the index up to the sources, or leave it as it is.

        Raises IndexLockedError, TooManyDeletionsError, SourceError, RulesError,
        IndexUnavailableError; in every case the version before stays current.
        """
        chosen = options or RunOptions()
        with self._archive.writing():
            return self._run(feeds, chosen)

    def _run(self, feeds: Sequence[Feed], options: RunOptions) -> SyncReport:
        watch = _Stopwatch()
        with watch.timing("plan"):
            plan = self.plan(feeds, options)
        current = self._current(options)
        idle = SyncReport(Outcome.PLANNED, current, None, plan, None, 0, watch.seconds)
        if options.dry_run:
            return idle
        if plan.delete_ratio > options.max_delete_ratio and not options.prune:
            raise TooManyDeletionsError(plan, options.max_delete_ratio)
        if current is not None and not options.full and self._is_current(plan, current):
            return replace(idle, outcome=Outcome.UNCHANGED)
        return self._build(plan, current, watch)

    def _current(self, options: RunOptions) -> str | None:
        try:
            return self._archive.current()
        except IndexUnavailableError:
            if not options.full:
                raise
            return None

    def _is_current(self, plan: Plan, current: str) -> bool:
        manifest = self._archive.manifest(current)
        return (
            plan.base == current
            and not plan.put
            and not plan.drop
            and set(plan.records) == set(manifest.pages)
            and dict(plan.folders) == dict(manifest.folders)
        )

    def _build(self, plan: Plan, current: str | None, watch: _Stopwatch) -> SyncReport:
        now = self._clock()
        manifest = Manifest(
            version=self._unused_name(now),
            fingerprint=self.fingerprint,
            encoder=self._encoder.fingerprint,
            dimension=self._encoder.dimension,
            created=now.isoformat(),
            previous=current,
            pages=plan.records,
            chunks=sum(record.chunks for record in plan.records),
            folders=plan.folders,
        )
        with ExitStack() as undo:
            draft = self._archive.begin(manifest.version, manifest.dimension, plan.base)
            undo.callback(self._archive.discard, draft)
            encoded = self._fill(draft, plan, watch)
            with watch.timing("gate"):
                self._progress("check", 0, None)
                gate = self._gate.examine(draft, plan, self._rng)
            manifest = replace(
                manifest, gate=gate.as_dict(), timings_s=dict(watch.seconds), encoded=encoded
            )
            if not gate.passed:
                self._archive.refuse(draft, manifest)
            else:
                with watch.timing("switch"):
                    self._progress("switch", 0, None)
                    self._archive.publish(draft, manifest, self._clock())
            undo.pop_all()
        outcome = Outcome.PUBLISHED if gate.passed else Outcome.REFUSED
        version = manifest.version if gate.passed else current
        return SyncReport(outcome, version, current, plan, gate, encoded, watch.seconds)

    def _unused_name(self, now: datetime) -> str:
        """A clock that was set back must not give a name twice."""
        taken = {record.name for record in self._archive.status().records}
        while (name := version_name(self.fingerprint, now)) in taken:
            now += timedelta(milliseconds=1)
        return name

    def _fill(self, draft: Draft, plan: Plan, watch: _Stopwatch) -> int:
        """Apply the plan to the draft; returns how many chunks were embedded."""
        with watch.timing("write"):
            known = _vectors_of(draft, plan.reuse)
            draft.index.delete(plan.drop)
            draft.writer.remove(plan.drop)
        repeated = Counter(chunk.content_hash for chunk in plan.put)
        encoded = 0
        for start in range(0, len(plan.put), _BATCH):
            batch = plan.put[start : start + _BATCH]
            fresh = {c.content_hash: c for c in batch if c.content_hash not in known}
            with watch.timing("encode"):
                vectors = dict(zip(fresh, self._encoded(list(fresh.values())), strict=True))
            encoded += len(fresh)
            with watch.timing("write"):
                draft.writer.put(batch)
                at_hand = known | vectors
                draft.index.upsert([_point(chunk, at_hand[chunk.content_hash]) for chunk in batch])
            known.update((d, vector) for d, vector in vectors.items() if repeated[d] > 1)
            self._progress("encode", start + len(batch), len(plan.put))
        return encoded

    def _encoded(self, chunks: Sequence[Chunk]) -> Iterable[Vector]:
        return self._encoder.encode_passages([dense_text(c) for c in chunks]) if chunks else ()

    @contextmanager
    def _base(self, options: RunOptions) -> Iterator[Base | None]:
        with ExitStack() as open_:
            try:
                base = self._open_base(options, open_)
            except IndexUnavailableError:
                if not (options.full and options.everything):
                    raise
                base = None  # a full build of all sources mends a damaged version
            yield base

    def _open_base(self, options: RunOptions, open_: ExitStack) -> Base | None:
        current = self._archive.current()
        if current is None:
            return None
        manifest = self._archive.manifest(current)
        chunks = open_.enter_context(self._archive.chunks(current))
        same = manifest.fingerprint == self.fingerprint
        return Base(manifest, chunks, reusable=same and not options.full)


class _Stopwatch:
    """Seconds by step; a step that runs again adds up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timing(self, step: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - started
            self.seconds[step] = self.seconds.get(step, 0.0) + took


def _vectors_of(draft: Draft, reuse: Mapping[str, ChunkId]) -> dict[str, Vector]:
    """Content hash to vector, read from the draft while it still holds all of its base."""
    points = draft.index.vectors(list(reuse.values()))
    return {point.content_hash: point.dense for point in points}


def _point(chunk: Chunk, dense: Vector) -> Point:
    return Point(
        id=chunk.id,
        doc_id=chunk.doc_id,
        path=chunk.path,
        source=chunk.source,
        labels=chunk.labels,
        content_hash=chunk.content_hash,
        dense=dense,
        sparse=sparse_passage(chunk),
    )
