"""Fine-tune the packaged encoder into a reranker and keep the difference, cut to a low rank.

    python -m evals.fit_reranker --data DIR --data DIR ... --out FILE [--hold-out 2:0]

Positive is the chunk of an answering page that holds most of the gold answer's words; negatives are
near chunks of other pages, and chunks of the same page that do not hold the answer: the difference
between near and answering is what is to be learnt. Before that, headings stand in as questions.
`--hold-out 2:0` leaves out every second area (top folder) of each corpus, so that it can be tested.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import orjson
import torch
import typer
from safetensors.torch import save_file
from transformers import AutoTokenizer

from evals.corpus import Corpus, Question, flat, load_corpus
from evals.shelf import TENANT, read_chunks, shelve
from guardrails.patterns import PatternRedactor
from retrieval.candidates import STOP_WORDS
from retrieval.encoder import load_encoder
from retrieval.encoding.cross_encoder import CrossEncoderModule, packaged_folder
from retrieval.representation import sparse_query, terms
from retrieval.reranking import MAX_TOKENS, RANK, pair_text
from retrieval.types import Chunk, Encoder, Scope

LEARNING_RATE = 4e-5
GROUPS = 4  # questions a step
NEGATIVES = 4
HEADING_PAIRS = 800
HEADING_WORDS = range(3, 13)
SECTION_CHARS = 150
EPOCHS = 3
HELD = 0.5  # share of the gold answer's words that a chunk must hold to count as the answer
CLEARLY_LESS = 0.4  # at most this share makes a chunk of the same page a negative
NEAR = 40
SEED = 20261121


@dataclass(frozen=True, slots=True)
class Lesson:
    """A question, the chunk that answers, and chunks that do not."""

    question: str
    right: str
    near: Sequence[str]
    same_page: Sequence[str]


def area(doc_id: str) -> str:
    """Top folder of a page, by which corpora are split: what is tested was not seen in training."""
    return flat(doc_id).split("__")[0]


def held_out(name: str, parts: int, part: int) -> bool:
    """Whether an area belongs to the part that is left out; stable, by SHA-256 of its name."""
    digest = hashlib.sha256(name.encode()).digest()
    return parts > 0 and int.from_bytes(digest[:4], "big") % parts == part


def lessons(
    corpus: Corpus, chunks: list[Chunk], encoder: Encoder, split: tuple[int, int]
) -> Iterator[Lesson]:
    """One for each answerable question outside the held-out areas."""
    by_page: dict[str, list[Chunk]] = {}
    for chunk in chunks:
        by_page.setdefault(flat(chunk.doc_id), []).append(chunk)
    by_id = {chunk.id: chunk for chunk in chunks}
    with shelve(chunks, encoder) as snapshot:
        for question in corpus.answerable:
            own = [c for page in sorted(question.answering) for c in by_page.get(page, [])]
            if not own or any(held_out(area(page), *split) for page in question.pages):
                continue
            text = PatternRedactor().redact(question.text).text
            scope = Scope(TENANT, unrestricted=True)
            dense = encoder.encode_query(text)
            hits = snapshot.index.search(dense, sparse_query(text), scope, 400).dense
            yield _lesson(question, own, [by_id[hit.id] for hit in hits])


def _lesson(question: Question, own: Sequence[Chunk], ranked: Sequence[Chunk]) -> Lesson:
    place = {chunk.id: i for i, chunk in enumerate(ranked)}
    shares = [_share_held(question.answer, chunk) for chunk in own]
    if max(shares) >= HELD:
        right = own[int(np.argmax(shares))]
    else:
        right = min(own, key=lambda c: place.get(c.id, len(place)))
    near = [c for c in ranked[:NEAR] if flat(c.doc_id) not in question.pages]
    same = [
        c for c, share in zip(own, shares, strict=True) if c is not right and share < HELD - 0.1
    ]
    same.sort(key=lambda c: place.get(c.id, len(place)))
    teach_same = max(shares) >= HELD  # else the whole page is the answer
    return Lesson(
        question.text,
        pair_text(right),
        [pair_text(c) for c in near[:12]],
        [pair_text(c) for c in same[:4]] if teach_same else [],
    )


def _share_held(answer: str, chunk: Chunk) -> float:
    words = [t for t in terms(answer) if t not in STOP_WORDS]
    held = set(terms(chunk.text))
    return sum(w in held for w in words) / len(words) if words else 0.0


def heading_lessons(
    chunks: Sequence[Chunk], split: tuple[int, int], rng: random.Random
) -> list[Lesson]:
    """A heading as the question, its section without it as the answer, other sections as not."""
    usable = [
        c
        for c in chunks
        if c.heading_path
        and len(c.heading_path[-1].split()) in HEADING_WORDS
        and len(c.text) > SECTION_CHARS
        and not held_out(area(c.doc_id), *split)
    ]
    rng.shuffle(usable)
    by_page: dict[str, list[Chunk]] = {}
    for chunk in chunks:
        by_page.setdefault(chunk.doc_id, []).append(chunk)
    made = []
    for chunk in usable[:HEADING_PAIRS]:
        others = [c for c in by_page[chunk.doc_id] if c.heading_path != chunk.heading_path]
        rng.shuffle(others)
        heading = chunk.heading_path[-1]
        asked = f"How do I {heading[0].lower()}{heading[1:]}?"
        question = rng.choice((heading, asked))
        near = [_headless(c) for c in (*others[2:8], *rng.choices(chunks, k=2))]
        made.append(Lesson(question, _headless(chunk), near, [_headless(c) for c in others[:2]]))
    return made


def _headless(chunk: Chunk) -> str:
    return " > ".join((chunk.title, *chunk.heading_path[:-1])) + "\n" + chunk.text


class Trainer:
    """Listwise and pointwise loss over one right and several wrong passages a question."""

    def __init__(self, steps: int) -> None:
        torch.manual_seed(SEED)
        folder = packaged_folder()
        self.model = CrossEncoderModule(folder)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(str(folder))
        for parameter in self.model.transformer.embeddings.parameters():
            parameter.requires_grad = False  # their difference would not compress
        trained = [p for p in self.model.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATE, weight_decay=0.01)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, lambda step: max(0.05, 1 - step / steps)
        )

    def step(self, group: Sequence[tuple[str, Sequence[str]]]) -> float:
        """One update; the first passage of each question is the right one."""
        pairs = [(question, passage) for question, passages in group for passage in passages]
        batch = self._tokenizer(
            [q for q, _ in pairs],
            [p for _, p in pairs],
            truncation="only_second",
            max_length=MAX_TOKENS,
            padding=True,
            return_tensors="pt",
        )
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = self.model(**batch)
        scores = logits.float().view(len(group), -1)
        right = torch.zeros_like(scores)
        right[:, 0] = 1
        first = torch.zeros(len(group), dtype=torch.long)
        loss = torch.nn.functional.cross_entropy(scores, first)
        loss = loss + 0.5 * torch.nn.functional.binary_cross_entropy_with_logits(scores, right)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimizer.step()
        self._schedule.step()
        return float(loss.detach())


def train(taught: Sequence[Lesson], headings: Sequence[Lesson], rng: random.Random) -> Trainer:
    """Headings once, then the questions `EPOCHS` times in a new order."""
    trainer = Trainer((len(headings) + EPOCHS * len(taught)) // GROUPS)
    everything = [headings] + [rng.sample(taught, len(taught)) for _ in range(EPOCHS)]
    for number, course in enumerate(everything):
        losses = [
            trainer.step([(x.question, _passages(x, course, rng)) for x in course[i : i + GROUPS]])
            for i in range(0, len(course) - GROUPS + 1, GROUPS)
        ]
        tail = float(np.mean(losses[-50:])) if losses else float("nan")
        typer.echo(f"course {number}: {len(course)} questions, loss {tail:.3f}", err=True)
    return trainer


def _passages(lesson: Lesson, course: Sequence[Lesson], rng: random.Random) -> list[str]:
    wrong = [
        *rng.sample(lesson.same_page, min(1, len(lesson.same_page))),
        *rng.sample(lesson.near, min(NEGATIVES - 1, len(lesson.near))),
    ]
    while len(wrong) < NEGATIVES:
        wrong.append(rng.choice(course).right)
    return [lesson.right, *wrong]


def difference(model: CrossEncoderModule) -> dict[str, torch.Tensor]:
    """Tuned less packaged weights: matrices as two factors of rank `RANK`, vectors as they are."""
    before = CrossEncoderModule(packaged_folder()).state_dict()
    kept: dict[str, torch.Tensor] = {}
    for name, tuned in model.state_dict().items():
        delta = (tuned - before[name]).float()
        if name.startswith("head."):
            kept[name] = tuned.half()
        elif delta.ndim > 1 and "embeddings" not in name:
            left, sizes, right = torch.linalg.svd(delta, full_matrices=False)
            kept[f"{name}.left"] = (left[:, :RANK] * sizes[:RANK]).half().contiguous()
            kept[f"{name}.right"] = right[:RANK].half().contiguous()
        elif delta.ndim == 1 and "embeddings" not in name:
            kept[name] = delta.half()
    return kept


def main(
    data: Annotated[list[Path], typer.Option(help="a corpus folder; give it once for each")],
    cache: Annotated[Path, typer.Option(help="where the converted encoder is kept")],
    out: Annotated[Path, typer.Option(help="the safetensors file to write")],
    hold_out: Annotated[str, typer.Option(help="PARTS:PART of the areas that stay unseen")] = "0:0",
) -> None:
    """Train, compress, write FILE and FILE.json with what it was made from."""
    parts, part = (int(x) for x in hold_out.split(":"))
    rng = random.Random(SEED)
    encoder = load_encoder(cache=cache)
    taught: list[Lesson] = []
    headings: list[Lesson] = []
    digests = {}
    for folder in data:
        corpus = load_corpus(folder)
        chunks = read_chunks(corpus.docs, PatternRedactor())
        taught += lessons(corpus, chunks, encoder, (parts, part))
        headings += heading_lessons(chunks, (parts, part), rng)
        digests[corpus.name] = corpus.digest
    rng.shuffle(headings)
    typer.echo(f"{len(taught)} questions, {len(headings[:HEADING_PAIRS])} headings", err=True)
    trainer = train(taught, headings[:HEADING_PAIRS], rng)
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file(difference(trainer.model), out)
    origin = {
        "command": "python -m evals.fit_reranker",
        "data": digests,
        "questions": len(taught),
        "held_out_areas": hold_out,
        "seed": SEED,
        "sha256": hashlib.sha256(out.read_bytes()).hexdigest(),
    }
    out.with_suffix(".json").write_bytes(orjson.dumps(origin, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    typer.run(main)
