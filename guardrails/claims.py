"""A sentence -> what must be found again in its evidence: words, numbers, names, code, polarity."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import snowballstemmer

from guardrails.lexicon import LEXICON

_STEMMER = snowballstemmer.stemmer("english")

STOP_WORDS = LEXICON.stop_words

_URL = re.compile(r"(?i)\b(?:https?://|www\.)[^\s<>\"'`)\]]+")
_EMAIL = re.compile(r"(?i)\b[a-z0-9._%+-]{1,64}@[a-z0-9.-]{1,120}\.[a-z]{2,24}\b")
_CODE_SPAN = re.compile(r"``?([^`\n]+)``?")
_QUOTED = re.compile(r"(?:^|[\s(\[])[\"“„]([^\"“”„\n]{2,}?)[\"”“]")
_IDENTIFIER = re.compile(
    r"(?:^|[\s(\[{\"',;:=])"
    r"(--?[a-zA-Z][\w-]+|\$\{?[A-Za-z_]\w*\}?|~?\.{0,2}/[\w.{}:-]+(?:/[\w.{}:*-]*)*"
    r"|[A-Za-z_]+[a-z0-9][A-Z]\w*|[A-Za-z]\w*_\w+|[a-zA-Z_]\w*(?:\.[a-zA-Z_]\w+)+(?:\(\))?|\w+\(\))"
)
_WORD = re.compile(r"[^\W\d_][\w'+#-]*|\d[\d,.:/-]*\d[a-z]*|\d[a-z]*|%")

_COUNTED = (
    "zero _ two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
)
_WORD_NUMBERS = {word: str(value) for value, word in enumerate(_COUNTED.split())} | {
    "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "ninety": "90", "hundred": "100"
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Number:
    """A quantity: digits without grouping, and the stems of the words that follow it."""

    value: str
    unit: str | None  # canonical known unit: `minute`, `gigabyte`, `%` ...
    followed_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """What one sentence says. Stems are Snowball's (English, "Porter2")."""

    text: str
    tokens: tuple[str, ...]  # lower-cased words in order
    stems: tuple[str, ...]  # of the same words
    content: frozenset[str]  # stems that carry meaning
    numbers: tuple[Number, ...]
    names: frozenset[str]  # lower-cased capitalised words, sentence start aside
    code: frozenset[str]
    urls: frozenset[str]
    quoted: frozenset[str]


@lru_cache(maxsize=16384)
def stem(word: str) -> str:
    return str(_STEMMER.stemWord(word))


def read_claim(text: str, raw: str | None = None) -> Claim:
    """`text` is plain; `raw` may still hold the back-ticks that mark code."""
    raw = text if raw is None else raw
    words = [match.group() for match in _WORD.finditer(text)]
    tokens = tuple(word.lower().removesuffix("'s") for word in words)
    stems = tuple(stem(token) for token in tokens)
    content = frozenset(
        root
        for token, root in zip(tokens, stems, strict=True)
        if token not in STOP_WORDS and len(token) > 1
    )
    return Claim(
        text=text,
        tokens=tokens,
        stems=stems,
        content=content,
        numbers=tuple(_numbers(tokens, stems)),
        names=frozenset(_names(text)),
        code=frozenset(_code(text, raw)),
        urls=frozenset(_urls(text)),
        quoted=frozenset(match.group(1).strip(" .,;:!?") for match in _QUOTED.finditer(text)),
    )


# --- numbers ----------------------------------------------------------------------------------

_UNITS = {
    alias: unit
    for unit, aliases in {
        "millisecond": "ms msec millisecond milliseconds",
        "second": "s sec secs second seconds",
        "minute": "min mins minute minutes",
        "hour": "h hr hrs hour hours",
        "day": "d day days",
        "week": "week weeks",
        "month": "month months",
        "year": "year years",
        "byte": "b byte bytes",
        "kilobyte": "kb kib k kilobyte kilobytes",
        "megabyte": "mb mib m megabyte megabytes",
        "gigabyte": "gb gib gi g gigabyte gigabytes",
        "terabyte": "tb tib terabyte terabytes",
        "%": "% percent pct",
        "dollar": "usd dollar dollars",
        "euro": "eur euro euros",
    }.items()
    for alias in aliases.split()
}
_FOLLOWING = 4
_GLUED = re.compile(r"^(\d[\d,.:/-]*?)([a-z]+)$")


def _numbers(tokens: tuple[str, ...], stems: tuple[str, ...]) -> Iterator[Number]:
    for at, token in enumerate(tokens):
        value, glued = _split_number(token)
        if value is None:
            continue
        following = tokens[at + 1 : at + 2]
        unit = _UNITS.get(glued) if glued else None
        if unit is None and following:
            unit = _UNITS.get(following[0])
        yield Number(value, unit, stems[at + 1 : at + 1 + _FOLLOWING])


def _split_number(token: str) -> tuple[str | None, str]:
    if token in _WORD_NUMBERS:
        return _WORD_NUMBERS[token], ""
    if not token[0].isdigit():
        return None, ""
    glued = _GLUED.match(token)
    digits, letters = (glued.group(1), glued.group(2)) if glued else (token, "")
    return _canonical(digits), letters


def _canonical(digits: str) -> str:
    compact = digits.replace(",", "")
    if compact.count(".") == 1 and compact.replace(".", "").isdigit():
        compact = (
            compact.rstrip("0").rstrip(".") if compact.split(".")[1].strip("0") == "" else compact
        )
    return compact.lstrip("0") or "0" if compact.isdigit() else compact


# --- names, code, addresses -------------------------------------------------------------------

_SUBJECT_VERBS = LEXICON.subject_verbs
_SENTENCE_START = re.compile(r"(?:^|[.!?:;]\s|\n|\(|\")\s*$")


def _names(text: str) -> Iterator[str]:
    words = list(_WORD.finditer(text))
    for at, match in enumerate(words):
        word = match.group().removesuffix("'s")
        if not word[0].isupper() or word.lower() in STOP_WORDS or word.lower() in _WORD_NUMBERS:
            continue
        if (
            not _SENTENCE_START.search(text[max(0, match.start() - 4) : match.start()])
            or word[1:] != word[1:].lower()
            or _is_subject(words, at)
        ):
            yield word.lower()


def _is_subject(words: list[re.Match[str]], at: int) -> bool:
    return at + 1 < len(words) and words[at + 1].group().lower() in _SUBJECT_VERBS


def _code(text: str, raw: str) -> Iterator[str]:
    for match in _CODE_SPAN.finditer(raw):
        yield match.group(1).strip()
    bare = _EMAIL.sub(" ", _URL.sub(" ", text))
    for match in _IDENTIFIER.finditer(bare):
        yield match.group(1).rstrip(".,:;")


def _urls(text: str) -> Iterator[str]:
    for match in _URL.finditer(text):
        yield match.group().rstrip(".,;:!?/").lower()
    for match in _EMAIL.finditer(text):
        yield match.group().lower()
