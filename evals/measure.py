"""An Evaluation -> one document of plain values: what the JSON holds and the report shows."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from evals.answers import Asked, Evaluation
from evals.product import UnderTest
from evals.ragas_metrics import Ragas
from evals.suites.citations import citations
from evals.suites.refusal import refusals
from evals.suites.retrieval import retrieval
from evals.suites.timings import timings
from evals.suites.wording import wording

SAMPLES = 20
"""Answers to be read by eye: enough to see habits, few enough to be read."""


def measure(
    evaluation: Evaluation, under: UnderTest, ragas: Ragas | None, now: datetime
) -> dict[str, Any]:
    """All figures, with what they were measured on; numbers that do not exist are None."""
    cited = citations(evaluation)
    return {
        "made": now.isoformat(timespec="seconds"),
        "corpus": _corpus(evaluation),
        "run": _run(evaluation, under),
        "retrieval": plain(retrieval(evaluation)),
        "refusal": plain(refusals(evaluation)),
        "citations": plain(cited.figures),
        "faults": {
            "not_verbatim": plain(cited.not_verbatim),
            "unsupported": plain(cited.unsupported),
        },
        "wording": plain(wording(evaluation)),
        "ragas": plain(ragas),
        "timings_ms": plain(timings(evaluation)),
        "samples": [sample(one) for one in drawn(evaluation)],
    }


def drawn(evaluation: Evaluation) -> list[Asked]:
    """Answered answerable questions for reading, drawn with the seed, in the order asked."""
    answered = [one for one in evaluation.asked if one.answered and one.answerable]
    size = min(SAMPLES, len(answered))
    places = random.Random(evaluation.options.seed).sample(range(len(answered)), size)
    return [answered[place] for place in sorted(places)]


def sample(one: Asked) -> dict[str, Any]:
    """One question as a reader of the report, or of records.jsonl, wants it."""
    return {
        "id": one.question.id,
        "kind": one.question.kind,
        "answerable": one.answerable,
        "left_out": one.left_out,
        "question": one.question.text,
        "gold": one.question.answer,
        "gold_pages": sorted(one.question.answering),
        "answered": one.answered,
        "wrong": one.wrong,
        "reason": one.answer.reason.value if one.answer.reason else None,
        "confidence": round(one.answer.confidence, 4),
        "top_dense": round(one.baselines.top_dense, 4),
        "answer": one.answer.text,
        "citations": [
            {"marker": c.marker, "path": c.path, "anchor": c.anchor, "quote": c.quote}
            for c in one.answer.citations
        ],
        "pages": list(one.pages),
    }


def plain(value: Any) -> Any:
    """Dataclasses, mappings and sequences as JSON has them; four digits; nan and inf as None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value


def _corpus(evaluation: Evaluation) -> dict[str, Any]:
    corpus = evaluation.corpus
    return {
        "name": corpus.name,
        "digest": corpus.digest,
        "questions": len(corpus.questions),
        "answerable": len(corpus.answerable),
        "leave_out": len(corpus.leave_out),
        "asked": len(evaluation.asked),
        "asked_left_out": len(evaluation.left_out),
        "answered": sum(one.answered for one in evaluation.asked),
    }


def _run(evaluation: Evaluation, under: UnderTest) -> dict[str, Any]:
    versions = dict.fromkeys(one.answer.index_version for one in evaluation.asked)
    answerers = sorted({one.answer.answerer for one in evaluation.asked if one.drafted})
    return {
        **under.facts,
        "seed": evaluation.options.seed,
        "limit": evaluation.options.limit,
        "threshold": round(under.threshold, 4),
        "answerers": answerers,
        "encoder": under.encoder.fingerprint,
        "index_versions": [version for version in versions if version is not None],
    }
