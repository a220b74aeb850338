"""A documentation corpus with questions: `docs/`, `queries.jsonl`, `qrels.tsv`, `leave_out.tsv`.

The layout is that of BEIR with documentation in folders; `leave_out.tsv` may be missing. A folder
with `docs/` and `questions.jsonl` alone, each line naming its answering pages in `answer_docs`, is
read too; there a question may carry a `filter`, and `after`: the question asked just before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
    narrow: Mapping[str, frozenset[str]] = field(default_factory=dict)
    after: str | None = None  # id of the question of the same conversation asked just before

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
    if (root / "questions.jsonl").exists() and not (root / "queries.jsonl").exists():
        return _load_plain(root)
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


def _load_plain(root: Path) -> Corpus:
    path = root / "questions.jsonl"
    if not (root / "docs").is_dir():
        raise CorpusError(f"{root / 'docs'} is missing: the pages that {path.name} asks about")
    questions = tuple(_questions(path, None))
    known = {question.id for question in questions}
    for question in questions:
        if question.after is not None and question.after not in known:
            raise CorpusError(
                f"{path}: {question.id} comes after {question.after!r}, which is no question"
            )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return Corpus(root.name, root / "docs", questions, {}, digest)


def flat(doc_id: str) -> str:
    """`guides/invite` of the index as the label files write it: `guides__invite`."""
    return doc_id.replace("/", "__")


def _questions(path: Path, pages: Mapping[str, Mapping[str, int]] | None) -> Iterator[Question]:
    """`pages` by question id; None where each line names its own."""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            yield _question(orjson.loads(line), pages)
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise CorpusError(f"{path}:{number}: not a question: {error!r}") from error


def _question(row: Mapping[str, Any], pages: Mapping[str, Mapping[str, int]] | None) -> Question:
    own = {flat(page): ANSWERS for page in row["answer_docs"]} if pages is None else {}
    return Question(
        id=row["_id"],
        text=row["text"],
        answerable=row["label"] == "answerable",
        kind=row["kind"],
        self_contained=bool(row.get("self_contained", False)),
        answer=row.get("answer") or "",
        pages=own if pages is None else pages.get(row["_id"], {}),
        narrow={name: _values(value) for name, value in row.get("filter", {}).items()},
        after=row.get("after"),
    )


def _values(value: str | list[str]) -> frozenset[str]:
    return frozenset([value] if isinstance(value, str) else value)


def _rows(path: Path, columns: int) -> Iterator[tuple[int, list[str]]]:
    """Rows below the header, with line numbers."""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        cells = line.split("\t")
        if number == 1 or not line.strip():
            continue
        if len(cells) != columns:
            raise CorpusError(f"{path}:{number}: {len(cells)} columns, expected {columns}")
        yield number, cells
