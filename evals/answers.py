"""corpus and product -> every question asked through the product -> records to be measured.

The questions of `leave_out.tsv` are asked again after their answering pages were taken out of the
docs and the index was brought up to date: the right reaction is then a refusal.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from agent import Answer, Ask, BadAskError
from agent.types import MessageFinished, RunFailed
from evals.baselines import Baselines, look_up, pages_of
from evals.corpus import Corpus, Question, flat
from evals.product import Progress, UnderTest
from retrieval.candidates import page_of
from retrieval.types import Chunk, ChunkId, Scope

SEED = 20
"""Of every draw, unless told otherwise: any fixed number."""
NO_ANSWERER = "none"
"""The answerer of replies in the product's own words."""


class EvaluationError(Exception):
    """A question could not be asked; says which, and why."""


@dataclass(frozen=True, slots=True)
class Options:
    """How much is asked. `limit`: questions drawn with `seed`, and as many left out at most."""

    limit: int | None = None
    seed: int = SEED
    leave_out: bool = True


@dataclass(frozen=True, slots=True)
class Asked:
    """One question with all that the product said and found. Pages are flat ids, best first."""

    question: Question
    answer: Answer
    pages: tuple[str, ...]
    baselines: Baselines
    chunks: Mapping[ChunkId, Chunk] = field(repr=False)  # those cited and those retrieved
    threshold: float
    left_out: bool = False  # asked of the index without its answering pages

    @property
    def answerable(self) -> bool:
        return self.question.answerable and not self.left_out

    @property
    def drafted(self) -> bool:
        """Whether there is an answer from the docs; a greeting and such is none."""
        return not self.answer.refused and self.answer.answerer != NO_ANSWERER

    @property
    def confidence(self) -> float:
        """0 where the product refused whatever its confidence in the evidence."""
        return self.answer.confidence if self.drafted else 0.0

    @property
    def answered(self) -> bool:
        """At the product's own threshold."""
        return self.drafted and self.answer.confidence >= self.threshold

    @property
    def cited(self) -> tuple[str, ...]:
        """The page of each citation."""
        return tuple(flat(page_of(citation.chunk_id)) for citation in self.answer.citations)

    @property
    def wrong(self) -> bool:
        """Whether answering would be an error: no answer exists, or none of its pages is cited."""
        return not (self.answerable and any(page in self.question.answering for page in self.cited))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that was asked: of the whole index, and of the one without answering pages."""

    corpus: Corpus
    options: Options
    threshold: float
    docs: Path = field(repr=False)  # the corpus as it came
    asked: tuple[Asked, ...] = field(repr=False)
    left_out: tuple[Asked, ...] = field(repr=False)


async def ask_all(
    corpus: Corpus, under: UnderTest, options: Options, progress: Progress
) -> Evaluation:
    """Ask one question after the other, so that the timings are those of one user.

    Raises EvaluationError, and what the product raises about its index.
    """
    chosen = _drawn(corpus.questions, options)
    asked = [one async for one in _each("asking", corpus, chosen, under, progress)]
    left_out: list[Asked] = []
    if options.leave_out and corpus.leave_out:
        known = {question.id: question for question in corpus.questions}
        gone = [known[id_] for id_ in corpus.leave_out if id_ in known]
        again = _drawn(gone, options)
        remove_pages(under.docs, frozenset().union(*(corpus.leave_out[q.id] for q in again)))
        await asyncio.to_thread(under.reindex)
        phase = "asking without the answering pages"
        left_out = [one async for one in _each(phase, corpus, again, under, progress, gone=True)]
    return Evaluation(corpus, options, under.threshold, corpus.docs, tuple(asked), tuple(left_out))


def remove_pages(docs: Path, drop: frozenset[str]) -> int:
    """Delete the files of these flat page ids below `docs`; how many there were."""
    found = [
        path
        for path in docs.rglob("*")
        if path.is_file() and flat(path.relative_to(docs).with_suffix("").as_posix()) in drop
    ]
    for path in found:
        path.unlink()
    return len(found)


def _drawn(questions: Sequence[Question], options: Options) -> list[Question]:
    if options.limit is None or options.limit >= len(questions):
        return list(questions)
    places = random.Random(options.seed).sample(range(len(questions)), options.limit)
    return [questions[place] for place in sorted(places)]


async def _each(
    phase: str,
    corpus: Corpus,
    questions: Sequence[Question],
    under: UnderTest,
    progress: Progress,
    *,
    gone: bool = False,
) -> AsyncIterator[Asked]:
    known = {question.id: question for question in corpus.questions}
    for done, question in enumerate(questions, start=1):
        scope = under.scope(question.narrow)
        answer = await _answer(under, question, known)
        yield await asyncio.to_thread(_record, under, question, answer, scope, gone)
        progress(phase, done, len(questions))


async def _answer(under: UnderTest, question: Question, known: Mapping[str, Question]) -> Answer:
    try:
        if question.after is None:
            return await under.copilot.answer(question.text, under.scope(question.narrow))
        thread = uuid4().hex
        await _say(under, known[question.after], thread)
        return await _say(under, question, thread)
    except BadAskError as error:
        raise EvaluationError(f"question {question.id}: {error}") from error


async def _say(under: UnderTest, question: Question, thread: str) -> Answer:
    scope = under.scope(question.narrow)
    ask = Ask(under.tenant, thread, uuid4().hex, uuid4().hex, question.text, scope)
    async for numbered in under.copilot.ask(ask):
        match numbered.event:
            case MessageFinished(answer=answer):
                return answer
            case RunFailed(message=message):
                raise EvaluationError(f"question {question.id}: {message}")
            case _:
                continue
    raise EvaluationError(f"question {question.id}: its run ended without an answer")


def _record(
    under: UnderTest, question: Question, answer: Answer, scope: Scope, gone: bool
) -> Asked:
    ids = [seen.chunk_id for seen in answer.retrieved]
    if not ids:  # a turn taken for something else than a question was not looked up
        words = under.redactor.redact(question.text).text
        ids = [p.chunk.id for p in under.retriever.retrieve(words, scope).retrieved]
    with under.library.lease() as snapshot:
        chunks = snapshot.chunks.get(scope.tenant, {*ids, *(c.chunk_id for c in answer.citations)})
    return Asked(
        question=question,
        answer=answer,
        pages=pages_of(ids),
        baselines=look_up(under, question.text, scope),
        chunks=chunks,
        threshold=under.threshold,
        left_out=gone,
    )
