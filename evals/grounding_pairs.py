"""A corpus of docs -> claims with a passage each, known to be supported or not."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import re2

from guardrails import Redacted, Redactor, stored
from guardrails.claims import read_claim
from guardrails.evidence import Source, read_source
from guardrails.markup import plain
from guardrails.polarity import opposite_of

_PASSAGE_CHARS = 1200
_WRONG_PAGES = 3
_MIN_WORDS, _MAX_WORDS = 6, 45
_HEADING = re2.compile(r"(?m)^#{1,6} ")
_PROSE = re2.compile(r"^[A-Z][^|{}<>`=]*[.!?]$")


@dataclass(frozen=True, slots=True)
class Pair:
    """A claim and the passage that it cites; `kind` says how it was made."""

    claim: Redacted
    source: Redacted
    supported: bool
    kind: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """Passages by page, and gold answers with the pages that hold them."""

    pages: dict[str, tuple[Redacted, ...]]
    answers: tuple[tuple[str, tuple[str, ...]], ...]


def read_corpus(folder: Path, redactor: Redactor) -> Corpus:
    """A folder with `docs/**/*.md` and `queries.jsonl`. Raises OSError where it is not one."""
    docs = folder / "docs"
    pages = {
        str(path.relative_to(docs).with_suffix("")).replace("/", "__"): tuple(
            redactor.redact_document(text).text for text in _passages(path.read_text("utf-8"))
        )
        for path in sorted(docs.rglob("*.md"))
    }
    rows = map(json.loads, (folder / "queries.jsonl").read_text("utf-8").splitlines())
    answers = tuple(
        (row["answer"], tuple(row["answer_docs"])) for row in rows if row["label"] == "answerable"
    )
    return Corpus(pages, answers)


def build_pairs(corpus: Corpus, rng: random.Random, limit: int) -> list[Pair]:
    """At most `limit` sentences, with paraphrases and corruptions, and as many gold answers."""
    return [*_from_sentences(corpus, rng, limit), *_from_answers(corpus, rng, limit)]


def _passages(page: str) -> Iterator[str]:
    """Sections by heading, cut at paragraphs so that none is much longer than a chunk."""
    starts = [match.start() for match in _HEADING.finditer(page)]
    for start, end in zip([0, *starts], [*starts, len(page)], strict=True):
        held = ""
        for paragraph in page[start:end].split("\n\n"):
            if held and len(held) + len(paragraph) > _PASSAGE_CHARS:
                yield held
                held = ""
            held += paragraph + "\n\n"
        if held.strip():
            yield held


# --- from sentences of the docs ---------------------------------------------------------------


def _from_sentences(corpus: Corpus, rng: random.Random, limit: int) -> Iterator[Pair]:
    places = [(page, at) for page, texts in corpus.pages.items() for at in range(len(texts))]
    rng.shuffle(places)
    taken = 0
    for page, at in places:
        passage = corpus.pages[page][at]
        usable = [unit.text for unit in read_source(passage).units if _usable(unit.text)]
        if not usable:
            continue
        sentence = rng.choice(usable)
        for kind, claim in _paraphrases(sentence):
            yield Pair(stored(claim), passage, True, kind)
        yield from _corruptions(sentence, passage, corpus, page, rng)
        taken += 1
        if taken >= limit:
            return


def _usable(text: str) -> bool:
    return bool(_PROSE.match(text)) and _MIN_WORDS <= len(text.split()) <= _MAX_WORDS


_SYNONYMS = {
    "use": "employ", "create": "set up", "creates": "sets up", "configure": "set up",
    "allows": "lets", "provides": "offers", "requires": "needs", "ensure": "make sure",
    "however": "but", "also": "additionally", "multiple": "several", "additional": "further",
    "contains": "holds", "select": "choose", "click": "press", "enter": "type", "view": "see",
    "list": "show", "verify": "check", "return": "give back", "returns": "gives back",
    "information": "details", "users": "people", "default": "standard", "method": "way",
    "specify": "state", "obtain": "get", "send": "deliver", "change": "modify", "begin": "start",
    "need": "require", "want": "wish", "ability": "option", "such as": "like", "issue": "problem",
    "once": "as soon as", "before": "prior to", "if": "when", "within": "inside",
}  # fmt: skip
_CLAUSE = re2.compile(r"^(If|When|Once|Before|After|To) ([^,.]{8,120}), ([^.]{8,200})\.$")
_YOU_CAN = re2.compile(r"^You can ([a-z][^.]{8,240})\.$")


def _paraphrases(sentence: str) -> Iterator[tuple[str, str]]:
    words = sentence.split(" ")
    swapped = [_SYNONYMS.get(word, word) for word in words]
    if sum(a != b for a, b in zip(words, swapped, strict=True)) > 0:
        yield "synonyms", " ".join(swapped)
    clause = _CLAUSE.match(sentence)
    if clause is not None:
        lead, first, second = clause.group(1), clause.group(2), clause.group(3)
        yield "reordered", f"{second[0].upper()}{second[1:]} {lead.lower()} {first}."
    can = _YOU_CAN.match(sentence)
    if can is not None:
        yield "voice", f"It is possible to {can.group(1)}."
    half = len(words) // 2
    if len(words) >= 2 * _MIN_WORDS and words[half - 1].endswith(","):
        yield "shortened", " ".join(words[:half]).rstrip(",") + "."


def _corruptions(
    sentence: str, passage: Redacted, corpus: Corpus, page: str, rng: random.Random
) -> Iterator[Pair]:
    made = {
        "number": _number_swapped(sentence, rng),
        "name": _name_swapped(sentence, corpus, rng),
        "polarity": _polarity_swapped(sentence),
        "invented": _invented(sentence, read_source(passage), rng),
    }
    for kind, claim in made.items():
        if claim is not None and claim != sentence:
            yield Pair(stored(claim), passage, False, kind)
    neighbours = [text for text in corpus.pages[page] if text != passage]
    if neighbours:
        yield Pair(stored(sentence), _most_alike(sentence, neighbours), False, "neighbour")


def _most_alike(sentence: str, passages: Sequence[Redacted]) -> Redacted:
    """The passage that shares most words: the hardest wrong citation on the page."""
    content = read_claim(sentence).content
    others = [text for text in passages if sentence not in plain(text)] or list(passages)
    return max(others, key=lambda text: len(content & read_source(text).claim.content))


_NUMBER = re2.compile(r"\b\d{1,6}\b")


def _number_swapped(sentence: str, rng: random.Random) -> str | None:
    found = _NUMBER.search(sentence)
    if found is None:
        return None
    wrong = str(int(found.group()) * rng.choice((2, 3, 10)) + rng.randint(1, 9))
    return sentence[: found.start()] + wrong + sentence[found.end() :]


def _name_swapped(sentence: str, corpus: Corpus, rng: random.Random) -> str | None:
    names = sorted(read_claim(sentence).names)
    if not names:
        return None
    page = rng.choice(sorted(corpus.pages))
    others = {name for text in corpus.pages[page] for name in read_source(text).claim.names}
    fresh = sorted(others - set(names))
    if not fresh:
        return None
    wanted, other = rng.choice(names), rng.choice(fresh)
    words = [other.capitalize() if w.strip(".,").lower() == wanted else w for w in sentence.split()]
    return " ".join(words)


_NEGATED = (
    (" can ", " cannot "), (" is ", " is not "), (" are ", " are not "), (" will ", " will not "),
    (" must ", " does not have to "), (" should ", " should not "), (" does not ", " does "),
    (" cannot ", " can "), (" is not ", " is "), (" has ", " never has "),
)  # fmt: skip


def _polarity_swapped(sentence: str) -> str | None:
    words = sentence.split(" ")
    for at, word in enumerate(words):
        other = opposite_of(word)
        if other is not None:
            return " ".join([*words[:at], other, *words[at + 1 :]])
    for affirmed, negated in _NEGATED:
        if affirmed in sentence and " not " not in sentence:
            return sentence.replace(affirmed, negated, 1)
    return None


def _invented(sentence: str, source: Source, rng: random.Random) -> str | None:
    """The first half of one sentence with the second half of another of the same passage."""
    others = [unit.text for unit in source.units if _usable(unit.text) and unit.text != sentence]
    if not others:
        return None
    mine, theirs = sentence.split(" "), rng.choice(others).split(" ")
    return " ".join([*mine[: len(mine) // 2], *theirs[len(theirs) // 2 :]])


# --- from gold answers --------------------------------------------------------------------------


def _from_answers(corpus: Corpus, rng: random.Random, limit: int) -> Iterator[Pair]:
    names = sorted(corpus.pages)
    answers = rng.sample(corpus.answers, min(limit, len(corpus.answers)))
    for answer, documents in answers:
        held = [text for name in documents for text in corpus.pages.get(name, ())]
        if not held:
            continue
        wrong = [text for name in rng.sample(names, _WRONG_PAGES) if name not in documents
                 for text in corpus.pages[name]]  # fmt: skip
        for unit in read_source(stored(answer)).units:
            if not _usable(unit.text):
                continue
            claim = stored(unit.raw)
            passage = _most_alike_answer(unit.text, held)
            if plain(unit.raw) not in plain(passage):
                yield Pair(claim, passage, True, "gold paraphrase")
            if wrong:
                yield Pair(claim, _most_alike_answer(unit.text, wrong), False, "wrong page")


def _most_alike_answer(claim: str, passages: Sequence[Redacted]) -> Redacted:
    content = read_claim(claim).content
    return max(passages, key=lambda text: len(content & read_source(text).claim.content))
