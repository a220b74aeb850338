"""draft -> checks -> report: what a version must pass before anybody sees it.

Counts match, no point or chunk is dead, every citation would resolve, and questions with a known
page still find it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple, TypeVar

import orjson

from guardrails import Redacted, Redactor, stored
from ingest.plans import Plan
from ingest.types import IngestError
from retrieval.archive import Draft
from retrieval.representation import sparse_query
from retrieval.types import Chunk, ChunkId, Encoder, Scope

T = TypeVar("T")

GOLDEN_FILE = "golden.jsonl"
_EXAMPLES = 5  # offenders that a message names
_SENTENCE = re.compile(r"[^\n.!?]{20,200}[.!?\n]")


class GoldenError(IngestError):
    """The file of golden questions is broken; the message names the line."""


class Golden(NamedTuple):
    """A question, and the path of a page that answers it."""

    text: Redacted
    path: str


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """How much must be found. The two recalls come from `docs/indexing.md`, "The gate"."""

    depth: int = 10
    """A page counts as found when it is among the pages of the first `depth` chunks."""
    min_golden_recall: float = 0.8
    """Of golden questions, which people wrote."""
    min_self_recall: float = 0.9
    """Of chunks sought by their own title, heading and first sentence."""
    sample: int = 40
    """Chunks, or golden questions, that are tried; the encoder takes milliseconds for each."""


class Check(NamedTuple):
    """One check of the gate; `detail` says what was found, with the worst offenders."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class GateReport:
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    def as_dict(self) -> dict[str, object]:
        return {"passed": self.passed, "checks": [check._asdict() for check in self.checks]}


def read_golden(path: Path, redactor: Redactor) -> tuple[Golden, ...]:
    """Lines `{"text", "path"}`; other keys are ignored. Raises GoldenError."""
    found = []
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise GoldenError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            found.append(_golden(f"{path}:{number}", line, redactor))
    return tuple(found)


def _golden(where: str, line: str, redactor: Redactor) -> Golden:
    try:
        held = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise GoldenError(f"{where}: not JSON ({error}); write one object a line") from error
    text, path = (held.get(key) if isinstance(held, dict) else None for key in ("text", "path"))
    if not isinstance(text, str) or not isinstance(path, str):
        raise GoldenError(f'{where}: write {{"text": "a question", "path": "its/page.md"}}')
    return Golden(redactor.redact(text).text, path)


@dataclass(frozen=True, slots=True)
class Gate:
    """The checks with what they need. `golden` empty: the version is tried on itself."""

    encoder: Encoder
    policy: GatePolicy = GatePolicy()
    golden: tuple[Golden, ...] = ()

    def examine(self, draft: Draft, plan: Plan, rng: Random) -> GateReport:
        """Every check, also when an earlier one has failed."""
        chunks = tuple(draft.chunks.chunks())
        return GateReport(
            (
                _counts(draft, plan, chunks),
                _alive(draft, chunks),
                _citable(chunks),
                self._recall(draft, chunks, rng),
            )
        )

    def _recall(self, draft: Draft, chunks: Sequence[Chunk], rng: Random) -> Check:
        tenants = {chunk.path: chunk.labels.tenant for chunk in chunks}
        if self.golden:
            tried = _sample(self.golden, self.policy.sample, rng)
            name, least = "golden questions", self.policy.min_golden_recall
        else:
            picked = _sample(chunks, self.policy.sample, rng)
            tried = [Golden(_own_words(chunk), chunk.path) for chunk in picked]
            name, least = "own headings", self.policy.min_self_recall
        missed = [
            item.text
            for item in tried
            if item.path not in self._found(draft, item.text, tenants.get(item.path))
        ]
        recall = 1 - len(missed) / len(tried) if tried else 0.0
        detail = f"{name}: {len(tried) - len(missed)} of {len(tried)} find their page"
        return Check("recall", recall >= least, f"{detail} (at least {least:.0%}){_few(missed)}")

    def _found(self, draft: Draft, text: Redacted, tenant: str | None) -> set[str]:
        """Paths that the question finds for the tenant of its page; None: the page is gone."""
        if tenant is None:
            return set()
        scope = Scope(tenant, unrestricted=True)
        dense = self.encoder.encode_query(text)
        hits = draft.index.fused(dense, sparse_query(text), scope, self.policy.depth)
        return {chunk.path for chunk in draft.chunks.get(tenant, [hit.id for hit in hits]).values()}


def _counts(draft: Draft, plan: Plan, chunks: Sequence[Chunk]) -> Check:
    planned = sum(record.chunks for record in plan.records)
    found = {"planned": planned, "vectors": draft.index.count(), "chunks": len(chunks)}
    listed = ", ".join(f"{count} {name}" for name, count in found.items())
    return Check("counts", planned > 0 and len(set(found.values())) == 1, listed)


def _alive(draft: Draft, chunks: Sequence[Chunk]) -> Check:
    """Every point has its chunk and every chunk its point, of the same content."""
    points: Mapping[ChunkId, str] = draft.index.hashes()
    texts = {chunk.id: chunk.content_hash for chunk in chunks}
    ids = points.keys() | texts.keys()
    dead = sorted(id_ for id_ in ids if points.get(id_) != texts.get(id_))
    return Check("consistency", not dead, f"{len(dead)} dead rows{_few(dead)}")


def _citable(chunks: Sequence[Chunk]) -> Check:
    """Ids are unique and in order on their page, anchors can stand in an address, text is there."""
    pages: Counter[tuple[str, str]] = Counter()
    wrong = []
    for chunk in chunks:
        place = (chunk.labels.tenant, chunk.doc_id)
        expected = pages[place]
        pages[place] += 1
        fits = chunk.ordinal == expected and chunk.id == f"{chunk.doc_id}#{expected}"
        if not (fits and chunk.text.strip() and _linkable(chunk.anchor)):
            wrong.append(chunk.id)
    return Check("citations", not wrong, f"{len(wrong)} chunks cannot be cited{_few(wrong)}")


def _linkable(anchor: str | None) -> bool:
    return anchor is None or (anchor != "" and not re.search(r"[\s#]", anchor))


def _own_words(chunk: Chunk) -> Redacted:
    """Title, last heading and first sentence: what a reader of the page would search for."""
    sentence = _SENTENCE.search(chunk.text)
    words = sentence.group() if sentence else chunk.text[:200]
    return stored(" ".join((chunk.title, *chunk.heading_path[-1:], words.strip())))


def _sample(items: Sequence[T], size: int, rng: Random) -> list[T]:
    return list(items) if len(items) <= size else rng.sample(list(items), size)


def _few(items: Sequence[str]) -> str:
    if not items:
        return ""
    more = f" and {len(items) - _EXAMPLES} more" if len(items) > _EXAMPLES else ""
    return f": {', '.join(items[:_EXAMPLES])}{more}"
