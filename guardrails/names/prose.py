"""Documentation -> sentences that name products, not people; all development data together."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence, Set
from pathlib import Path

from guardrails.names.corpus import (
    PROSE,
    QUESTIONS,
    Corpus,
    CorpusError,
    Labelled,
    Part,
    drawn,
    name_types,
    of_part,
    read_presidio,
    read_wnut,
    rows_of,
)
from guardrails.names.tokens import words_of

_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_FENCE = re.compile(r"^(`{3,}|~{3,}).*?^\1", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)")
_TAG = re.compile(r"<[^>\n]{1,300}>|\{[%{:][^}\n]{0,300}\}+")
_MARKS = re.compile(r"[*`]+|^\s*(?:[#>-]+|\d+\.)\s+", re.MULTILINE)
_END = re.compile(r"(?<=[.!?:])\s+|\n+")
_SHORT = 2
_WORDS = range(4, 60)
_QUESTIONS = (
    "kong_docs/queries.jsonl",
    "sendgrid_docs/queries.jsonl",
    "intents_banking77/train.jsonl",
)
_FOLDERS = ("kong_docs/docs", "sendgrid_docs/docs")


def read_corpus(data: Path, more: Collection[Path] = (), *, addresses: bool = False) -> Corpus:
    """All development data; `more` are further folders of pages. Raises CorpusError."""
    labelled = [*read_presidio(data, name_types(addresses=addresses)), *read_wnut(data)]
    fitted = of_part(labelled, Part.FIT)
    prose = read_prose(data, more, _known(fitted, "PERSON"))
    return Corpus(labelled, [*prose, *read_questions(data, _known(fitted, "PERSON", "LOCATION"))])


def read_questions(data: Path, known: Set[str]) -> list[Labelled]:
    """What people ask about products and about their bank; those with a known name are left out."""
    asked = {
        row["text"]: None
        for file in _QUESTIONS
        for row in rows_of(data / file)
        if row.get("label") != "unanswerable"  # those are about anything
    }
    return [
        Labelled(text, (), QUESTIONS, drawn(text))
        for text in asked
        if not known & {word.text.lower() for word in words_of(text)}
    ]


def _known(sentences: Sequence[Labelled], *types: str) -> frozenset[str]:
    """Words of the names of these types, in lower case, but for short ones and plain words."""
    words = {
        word.text
        for sentence in sentences
        for name in sentence.names
        if name.type in types
        for word in words_of(sentence.text[name.start : name.end])
    }
    plain = {word.text for sentence in sentences for word in words_of(_unnamed(sentence))}
    return frozenset({w.lower() for w in words if w.istitle() and len(w) > _SHORT} - plain)


def _unnamed(sentence: Labelled) -> str:
    """The sentence with blanks for its names."""
    chars = list(sentence.text)
    for name in sentence.names:
        chars[name.start : name.end] = " " * (name.end - name.start)
    return "".join(chars)


def read_prose(data: Path, more: Collection[Path], known: Set[str]) -> list[Labelled]:
    """One sentence each, no two alike, split by page. Raises CorpusError where there is no page.

    A sentence with one of the `known` names, in lower case, is left out: a page may name people.
    """
    folders = [*(data / folder for folder in _FOLDERS), *more]
    seen: dict[str, Labelled] = {}
    for folder in folders:
        pages = sorted(folder.rglob("*.md"))
        if not pages:
            raise CorpusError(f"{folder} holds no page")
        for page in pages:
            part = drawn(f"{folder.name}/{page.relative_to(folder).as_posix()}")
            for text in sentences_of(page.read_text(encoding="utf-8")):
                if not known & {word.text.lower() for word in words_of(text)}:
                    seen.setdefault(text, Labelled(text, (), PROSE, part))
    return list(seen.values())


def sentences_of(markdown: str) -> Iterator[str]:
    """Prose only: front matter, code, tags, tables and the targets of links are left out."""
    prose = _FENCE.sub("\n", _FRONT_MATTER.sub("", markdown))
    prose = _MARKS.sub(" ", _TAG.sub(" ", _LINK.sub(r"\1", prose)))
    for line in _END.split(prose):
        sentence = " ".join(line.split())
        if "|" not in sentence and len(sentence.split()) in _WORDS:
            yield sentence
