"""words -> tokens with case, and logits -> names: what training and serving share.

A text is cut into windows of tokens that overlap; of the words that two windows hold, each keeps
the label of the window in which it stands further from the edge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from guardrails.names.tokens import NEWLINE, Word, words_of
from guardrails.names.types import NAME_TYPES
from guardrails.types import Span
from retrieval.types import Vector

DELTA = "names.safetensors"
SCORE = 0.55
"""Of every name: below each pattern with a checksum or a prefix, which know their type better."""
CASES = ("none", "lower", "title", "upper", "mixed", "digits")
LABELS = ("O", *(f"{tag}-{type}" for type in NAME_TYPES for tag in "BI"))
WINDOW = 224
"""Tokens that are looked at together."""
MARGIN = 12
"""Words that a window shares with the next."""
_MARKS = 4
"""Of a longer run of numbers, punctuation and line breaks only so many are looked at."""
_LETTERS = 6
"""Single letters with nothing but marks between them: initials are fewer, and the rest is noise."""
_BREAK = ";"
"""How the encoder, whose vocabulary has no line break, sees one."""


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens of words [first, first + len(heads)): ids, cases, and where each word begins."""

    first: int
    ids: Sequence[int]
    cases: Sequence[int]
    heads: Sequence[int]


def case_of(word: str) -> int:
    """Index into CASES."""
    if not any(char.isalpha() for char in word):
        return CASES.index("digits") if any(char.isdigit() for char in word) else 0
    if word.islower():
        return CASES.index("lower")
    if len(word) > 1 and word.isupper():
        return CASES.index("upper")
    return CASES.index("title" if word.istitle() else "mixed")


def plain_tokenizer(file: Path) -> Tokenizer:
    """The encoder's, without a limit of its own."""
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def readable(text: str) -> tuple[Word, ...]:
    """Words of the text; of a run of numbers, marks and single letters the first few: a name needs
    no more."""
    kept: list[Word] = []
    marks = letters = 0
    for word in words_of(text):
        size = _letters(word.text)
        letters = 0 if size > 1 else letters + size
        marks = 0 if size > 1 or (size and letters <= _LETTERS) else marks + 1
        if marks <= _MARKS:
            kept.append(word)
    return tuple(kept)


def _letters(word: str) -> int:
    """How many; a letter beyond ASCII may be a word of its own, so it counts twice."""
    return sum(1 + (not char.isascii()) for char in word if char.isalpha())


def windows_of(words: Sequence[Word], tokenizer: Tokenizer) -> Iterator[Window]:
    """Windows that together cover the words, in order."""
    texts = [_BREAK if word.text == NEWLINE else word.text for word in words]
    pieces = _pieces(texts, tokenizer)
    cases = [case_of(text) for text in texts]
    begin, end = (_id(tokenizer, mark) for mark in ("[CLS]", "[SEP]"))
    first = 0
    while first < len(words):
        ids, marks = [begin], [0]
        heads: list[int] = []
        for word in range(first, len(words)):
            if heads and len(ids) + len(pieces[word]) >= WINDOW:
                break
            heads.append(len(ids))
            ids += pieces[word]
            marks += [cases[word]] * len(pieces[word])
        yield Window(first, [*ids, end], [*marks, 0], heads)
        if first + len(heads) == len(words):
            return
        first += max(1, len(heads) - MARGIN)


def labelled(windows: Sequence[Window], logits: Sequence[Vector], count: int) -> Vector:
    """Logits of each word, shape (count, labels), of the window where it stands innermost."""
    rows = np.zeros((count, len(LABELS)), dtype=np.float32)
    depth = np.full(count, -1)
    for window, scores in zip(windows, logits, strict=True):
        last = len(window.heads) - 1
        for at, head in enumerate(window.heads):
            word, inner = window.first + at, min(at, last - at)
            if inner > depth[word]:
                rows[word], depth[word] = scores[head], inner
    return rows


def names_in(words: Sequence[Word], logits: Vector, lean: float) -> list[Span]:
    """Names in order and apart. `lean` is added to the logit of "no name": negative finds more."""
    rows = np.array(logits)
    rows[:, 0] += lean
    best = rows.argmax(axis=1)
    names: list[Span] = []
    going = ""
    for word, label in zip(words, best, strict=True):
        tag, _, type = LABELS[label].partition("-")
        if tag == "O":
            going = ""
        elif word.text == NEWLINE:
            going = type if type == going else ""  # an address has lines; nothing begins with one
        elif tag == "I" and type == going:
            last = names.pop()
            names.append(Span(last.start, word.end, type, SCORE))
        else:
            names.append(Span(word.start, word.end, type, SCORE))
            going = type
    return names


def _pieces(texts: Sequence[str], tokenizer: Tokenizer) -> list[list[int]]:
    """Token ids of each word, at least one."""
    unknown = _id(tokenizer, "[UNK]")
    encoded = tokenizer.encode(texts, is_pretokenized=True, add_special_tokens=False)
    pieces: list[list[int]] = [[] for _ in texts]
    for id, word in zip(encoded.ids, encoded.word_ids, strict=True):
        if word is not None:
            pieces[word].append(id)
    return [of_word or [unknown] for of_word in pieces]


def _id(tokenizer: Tokenizer, mark: str) -> int:
    id = tokenizer.token_to_id(mark)
    if id is None:
        raise ValueError(f"the tokenizer has no {mark}: it is not the packaged encoder's")
    return int(id)
