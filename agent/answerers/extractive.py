"""An answerer that needs no language model: it picks, orders and shows what the pages say.

One chunk answers, the first that says anything: the reranker has read it against the question. A
short chunk is shown whole; of a long one, the unit that answers best and what belongs to it
(lead-in, list, code). Units of different pages are never woven together.
"""

from __future__ import annotations

import asyncio
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
        for marker, passage in enumerate(passages, start=1):
            units = split(passage.chunk.text)
            if all(_asks(unit) for unit in units):
                continue
            run = await asyncio.to_thread(self._select, question, units)
            for unit in units[run.first : run.last + 1]:
                if shown := _shown(unit):
                    yield Draft(
                        text=stored(shown),
                        markers=(marker,),
                        block=_BLOCKS[unit.kind],
                        quote=stored(unit.text),
                        language=unit.language,
                    )
            return

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


def _cover(topic: set[str], text: str) -> float:
    return len(topic & set(terms(text))) / len(topic) if topic else 0.0


def _asks(unit: Unit) -> bool:
    return unit.kind is UnitKind.SENTENCE and unit.text.rstrip("*_ ").endswith("?")


def _shown(unit: Unit) -> str:
    """What the reader sees of a unit: code and tables as they are, prose without its links."""
    if unit.kind in (UnitKind.CODE, UnitKind.TABLE):
        return unit.text
    return plain(unit.text)
