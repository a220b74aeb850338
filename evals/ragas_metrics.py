"""ragas over the answers: metrics that need no model always, judged ones where a judge is given.

ragas is imported here alone and late (seconds), with its telemetry off.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from typing_extensions import override

from evals.answers import Asked, Evaluation
from evals.intervals import Figure, mean_of
from evals.product import Judge, Progress
from evals.suites.wording import unmarked
from guardrails import stored
from retrieval.types import Encoder

JUDGED_AT_MOST = 50
"""Answers that a judge reads: each costs several calls."""
Score = Callable[[Asked], Awaitable[float]]


class RagasMissingError(Exception):
    """ragas cannot be imported; says what to install."""


@dataclass(frozen=True, slots=True)
class Ragas:
    """Figures by ragas' own names, its version, and what it could not run, with the reason."""

    version: str
    figures: Mapping[str, Figure]
    skipped: Mapping[str, str]


async def ragas_figures(
    evaluation: Evaluation, encoder: Encoder, judge: Judge | None, progress: Progress
) -> Ragas:
    """Over answered answerable questions; reference is the gold answer, contexts are the passages
    reported, ids are pages. Raises RagasMissingError."""
    version = _load()
    answers = [one for one in evaluation.asked if one.answered and one.answerable]
    scores, skipped = _lexical()
    figures = {
        name: mean_of(await _all(name, score, answers, progress), evaluation.options.seed)
        for name, score in scores.items()
    }
    if judge is None:
        reason = "needs a judge: configure a model"
        return Ragas(version, figures, skipped | dict.fromkeys(_JUDGED, reason))
    for name, score in _judged(judge, encoder).items():
        values = await _all(name, score, answers[:JUDGED_AT_MOST], progress)
        read = [value for value in values if not math.isnan(value)]
        figures[name] = mean_of(read, evaluation.options.seed)
        if len(read) < len(values):
            skipped[name] = f"the judge could not read {len(values) - len(read)} answers"
    return Ragas(version, figures, skipped)


_JUDGED = ("faithfulness", "answer_relevancy")
_PACKAGED = {
    "rouge_score": ("RougeScore", "rouge_score"),
    "bleu_score": ("BleuScore", "sacrebleu"),
    "chrf_score": ("CHRFScore", "sacrebleu"),
}
"""Metrics that import a further package only when they score: ragas' class, the package."""


def _load() -> str:
    os.environ["RAGAS_DO_NOT_TRACK"] = "true"  # read when ragas is imported
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations within ragas and LangChain
            import ragas  # noqa: PLC0415 - seconds, and only where it is asked for
    except ImportError as error:
        raise RagasMissingError(
            f"ragas cannot be imported ({error}): install embark-copilot[evals], or pass --no-ragas"
        ) from error
    return str(ragas.__version__)


async def _all(
    name: str, score: Score, answers: Sequence[Asked], progress: Progress
) -> list[float]:
    values = []
    for done, one in enumerate(answers, start=1):
        values.append(await score(one))
        progress(f"ragas {name}", done, len(answers))
    return values


def _lexical() -> tuple[dict[str, Score], dict[str, str]]:
    """Metrics that run here; those whose further packages are not installed, with the reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # their new home lacks these five
        from ragas.metrics import (  # noqa: PLC0415
            IDBasedContextPrecision,
            IDBasedContextRecall,
            NonLLMContextPrecisionWithReference,
            NonLLMContextRecall,
            NonLLMStringSimilarity,
        )

    class Quiet(NonLLMStringSimilarity):  # type: ignore[misc]  # given out as Any
        """Without the event of `single_turn_ascore`, which writes a user id to the home folder,
        telemetry off or not."""

        @override
        async def single_turn_ascore(self, sample: Any, callbacks: Any = None, **_: Any) -> float:
            return float(await self._single_turn_ascore(sample, callbacks or []))

    metrics = (
        Quiet(),
        NonLLMContextPrecisionWithReference(distance_measure=Quiet()),
        NonLLMContextRecall(_distance_measure=Quiet()),
        IDBasedContextPrecision(),
        IDBasedContextRecall(),
    )
    scores: dict[str, Score] = {metric.name: _sampled(metric) for metric in metrics}
    skipped: dict[str, str] = {}
    for name, (class_name, package) in _PACKAGED.items():
        if find_spec(package) is None:
            skipped[name] = f"needs the package {package}"
        else:
            scores[name] = _against_gold(class_name)
    return scores, skipped


def _sampled(metric: Any) -> Score:
    from ragas import SingleTurnSample  # noqa: PLC0415

    async def score(one: Asked) -> float:
        sample = SingleTurnSample(
            user_input=one.question.text,
            response=unmarked(one.answer.text),
            reference=one.question.answer,
            retrieved_contexts=_contexts(one),
            reference_contexts=[one.question.answer],
            retrieved_context_ids=list(one.pages),
            reference_context_ids=sorted(one.question.answering),
        )
        return float(await metric._single_turn_ascore(sample, []))  # see Quiet

    return score


def _against_gold(class_name: str) -> Score:
    from ragas.metrics import collections  # noqa: PLC0415

    metric = getattr(collections, class_name)()

    async def score(one: Asked) -> float:
        answer = unmarked(one.answer.text)
        given = await metric.ascore(reference=one.question.answer, response=answer)
        return float(given.value)

    return score


def _contexts(one: Asked) -> list[str]:
    seen = [one.chunks.get(retrieved.chunk_id) for retrieved in one.answer.retrieved]
    return [chunk.text for chunk in seen if chunk is not None]


def _judged(judge: Judge, encoder: Encoder) -> dict[str, Score]:
    from openai import AsyncOpenAI  # noqa: PLC0415
    from ragas.embeddings.base import BaseRagasEmbedding  # noqa: PLC0415
    from ragas.llms import llm_factory  # noqa: PLC0415
    from ragas.metrics.collections import AnswerRelevancy, Faithfulness  # noqa: PLC0415

    class Embedding(BaseRagasEmbedding):
        """The encoder under test, as ragas wants one."""

        @override
        def embed_text(self, text: str, **_: Any) -> list[float]:
            return [float(x) for x in encoder.encode_passages([stored(text)])[0]]

        @override
        async def aembed_text(self, text: str, **_: Any) -> list[float]:
            return self.embed_text(text)

    client = AsyncOpenAI(base_url=judge.base_url, api_key=judge.key)
    llm = llm_factory(judge.model, client=client)
    faithful, relevant = Faithfulness(llm=llm), AnswerRelevancy(llm=llm, embeddings=Embedding())

    async def faithfulness(one: Asked) -> float:
        answer = unmarked(one.answer.text)
        cited = [one.chunks[c.chunk_id].text for c in one.answer.citations]
        return await _judgement(faithful, one.question.text, answer, retrieved_contexts=cited)

    async def relevancy(one: Asked) -> float:
        return await _judgement(relevant, one.question.text, unmarked(one.answer.text))

    return dict(zip(_JUDGED, (faithfulness, relevancy), strict=True))


async def _judgement(metric: Any, question: str, answer: str, **more: object) -> float:
    """nan when the judge fails or writes something else than a judgement."""
    from instructor.core.exceptions import InstructorError  # noqa: PLC0415
    from openai import OpenAIError  # noqa: PLC0415

    try:
        given = await metric.ascore(user_input=question, response=answer, **more)
    except (InstructorError, OpenAIError):
        return math.nan
    return float(given.value)
