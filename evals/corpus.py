"""A documentation corpus with questions: `docs/`, `queries.jsonl`, `qrels.tsv`, `leave_out.tsv`.

The layout is that of BEIR with documentation in folders; `leave_out.tsv` may be missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

ANSWERS = 2
"""Relevance of a page that holds the answer; 1 marks a page that the answer links to."""


class CorpusError(Exception):
    """The folder is not a corpus; the message says which file, which line, and what is wrong."""


@dataclass(frozen=True, slots=True)
class Question:
    """One labelled question; `pages`: flat page id to relevance (1 or 2), none if unanswerable."""

    id: str
    text: str
    answerable: bool
    kind: str
    self_contained: bool
    answer: str
    pages: Mapping[str, int]

    @property
    def answering(self) -> frozenset[str]:
        """Pages that hold the answer."""
        return frozenset(page for page, grade in self.pages.items() if grade >= ANSWERS)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Questions over one documentation folder."""

    name: str
    docs: Path
    questions: tuple[Question, ...]
    leave_out: Mapping[str, frozenset[str]]  # question id to pages whose absence should refuse it
    digest: str  # of the question files, hexadecimal, 12 characters

    @property
    def answerable(self) -> tuple[Question, ...]:
        return tuple(q for q in self.questions if q.answerable)


def load_corpus(root: Path) -> Corpus:
    """Raises CorpusError when a file is missing or a line is not what the layout says."""
    for name in ("docs", "queries.jsonl", "qrels.tsv"):
        if not (root / name).exists():
            raise CorpusError(
                f"{root / name} is missing: a corpus has docs/, queries.jsonl, qrels.tsv"
            )
    pages: dict[str, dict[str, int]] = {}
    for number, (query, page, grade) in _rows(root / "qrels.tsv", 3):
        try:
            pages.setdefault(query, {})[page] = int(grade)
        except ValueError as error:
            raise CorpusError(f"{root / 'qrels.tsv'}:{number}: {error}") from error
    questions = tuple(_questions(root / "queries.jsonl", pages))
    left_out = root / "leave_out.tsv"
    rows = _rows(left_out, 2) if left_out.exists() else ()
    leave_out = {query: frozenset(drop.strip().split(",")) for _, (query, drop) in rows}
    digest = hashlib.sha256()
    for name in ("queries.jsonl", "qrels.tsv"):
        digest.update((root / name).read_bytes())
    return Corpus(root.name, root / "docs", questions, leave_out, digest.hexdigest()[:12])


def flat(doc_id: str) -> str:
    """`guides/invite` of the index as the label files write it: `guides__invite`."""
    return doc_id.replace("/", "__")


def _questions(path: Path, pages: Mapping[str, Mapping[str, int]]) -> Iterator[Question]:
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
            yield Question(
                id=row["_id"],
                text=row["text"],
                answerable=row["label"] == "answerable",
                kind=row["kind"],
                self_contained=bool(row.get("self_contained", False)),
                answer=row.get("answer") or "",
                pages=pages.get(row["_id"], {}),
            )
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise CorpusError(f"{path}:{number}: not a question: {error!r}") from error


def _rows(path: Path, columns: int) -> Iterator[tuple[int, list[str]]]:
    """Rows below the header, with line numbers."""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        cells = line.split("\t")
        if number == 1 or not line.strip():
            continue
        if len(cells) != columns:
            raise CorpusError(f"{path}:{number}: {len(cells)} columns, expected {columns}")
        yield number, cells
