"""An answerer that needs no language model: it picks, orders and shows what the pages say.

One chunk answers, the first that says anything: the reranker has read it against the question. A
short chunk is shown whole; of a long one, the unit that answers best and what belongs to it
(lead-in, list, code). Behind the introduction of a how-to page come its first steps. Units of
different pages are never woven together.
"""

from __future__ import annotations

import asyncio
import re
import textwrap
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from agent.answerers.plain import plain
from agent.answerers.selection import Run, SelectionPolicy, around_best, whole
from agent.types import Block, Draft, Utterance
from guardrails import Redacted, stored
from retrieval.candidates import STOP_WORDS
from retrieval.representation import terms
from retrieval.types import Encoder, Passage
from retrieval.units import Unit, UnitKind, split

_PROCEDURAL = re.compile(
    r"\s*(?:please\s+)?(?:how\s+(?:do|can|to|should|would)\b|(?:what|which)\s+steps\b|steps\b"
    r"|set\s*up\b|walk me\b|show me how\b|i\s+(?:want|need)\s+to\b|wie\b|c[oó]mo\b)",
    re.IGNORECASE,
)
_BLOCKS = {
    UnitKind.SENTENCE: Block.SENTENCE,
    UnitKind.STEP: Block.STEP,
    UnitKind.ITEM: Block.ITEM,
    UnitKind.CODE: Block.CODE,
    UnitKind.TABLE: Block.TABLE,
}


@dataclass(frozen=True, slots=True)
class ExtractivePolicy:
    """How the units of a long chunk are scored."""

    cover_weight: float = 0.2
    """Weight of the share of the question's topic terms that a unit holds, beside its cosine."""
    asking_penalty: float = 0.3
    """Taken from a unit that asks itself: a question in a page is a heading, not an answer."""
    selection: SelectionPolicy = field(default_factory=SelectionPolicy)


class ExtractiveAnswerer:
    """Shows verbatim units of the first passage that says anything, in the order of the page."""

    name = "extractive"

    def __init__(self, encoder: Encoder, policy: ExtractivePolicy | None = None) -> None:
        self._encoder = encoder
        self._policy = policy or ExtractivePolicy()

    async def draft(
        self,
        question: Redacted,
        passages: Sequence[Passage],
        history: Sequence[Utterance],  # noqa: ARG002  the question already stands alone
    ) -> AsyncIterator[Draft]:
        """Never raises AnswererError: without passages there is nothing to show."""
        for at in _chosen(question, passages):
            units = split(passages[at].chunk.text)
            run = await asyncio.to_thread(self._select, question, units)
            for unit in units[run.first : run.last + 1]:
                if shown := _shown(unit):
                    yield Draft(
                        text=stored(shown),
                        markers=(at + 1,),
                        block=_BLOCKS[unit.kind],
                        quote=stored(unit.text),
                        language=unit.language,
                    )

    def _select(self, question: Redacted, units: Sequence[Unit]) -> Run:
        """A chunk that is shown whole needs no scores, and so no encoding."""
        policy = self._policy.selection
        return whole(units, policy) or around_best(units, self._scores(question, units), policy)

    def _scores(self, question: Redacted, units: Sequence[Unit]) -> list[float]:
        texts = [stored(_shown(unit) or unit.text) for unit in units]
        cosines = self._encoder.encode_passages(texts) @ self._encoder.encode_query(question)
        topic = {t for t in terms(question) if t not in STOP_WORDS}
        return [
            float(cosine)
            + self._policy.cover_weight * _cover(topic, text)
            - self._policy.asking_penalty * _asks(unit)
            for cosine, text, unit in zip(cosines, texts, units, strict=True)
        ]


def _chosen(question: Redacted, passages: Sequence[Passage]) -> list[int]:
    """The first passage that says anything; behind the introduction of a page, its first steps.

    Who asks how to do a thing is not served by the sentence that says what the page is about.
    """
    speaking = [i for i, p in enumerate(passages) if not all(map(_asks, split(p.chunk.text)))]
    if not speaking:
        return []
    first = passages[speaking[0]].chunk
    if first.ordinal or _has_steps(passages[speaking[0]]) or not _PROCEDURAL.match(question):
        return speaking[:1]
    steps = [
        i for i in speaking if passages[i].chunk.doc_id == first.doc_id and _has_steps(passages[i])
    ]
    return [speaking[0], *sorted(steps, key=lambda i: passages[i].chunk.ordinal)[:1]]


def _has_steps(passage: Passage) -> bool:
    return any(unit.kind is UnitKind.STEP for unit in split(passage.chunk.text))


def _cover(topic: set[str], text: str) -> float:
    return len(topic & set(terms(text))) / len(topic) if topic else 0.0


def _asks(unit: Unit) -> bool:
    return unit.kind is UnitKind.SENTENCE and unit.text.rstrip("*_ ").endswith("?")


def _shown(unit: Unit) -> str:
    """What the reader sees of a unit: code and tables without the indent of the list around them,
    prose without its links."""
    if unit.kind is UnitKind.CODE:
        return "\n".join(_without_fence(_dedented(unit.text)))
    if unit.kind is UnitKind.TABLE:
        return "\n".join(line.strip() for line in unit.text.splitlines())
    return plain(unit.text)


def _dedented(text: str) -> list[str]:
    """Lines without the indent that all but the first share: the first lost its own already."""
    first, *rest = text.splitlines() or [""]
    return [first, *textwrap.dedent("\n".join(rest)).splitlines()]


def _without_fence(lines: list[str]) -> list[str]:
    """A fence inside a list is found with its marks."""
    fenced = len(lines) > 1 and lines[0].lstrip().startswith(("```", "~~~"))
    return lines[1:-1] if fenced else lines
