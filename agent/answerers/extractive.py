"""An answerer that needs no language model: it picks, orders and shows what the pages say.

The unit that answers best is found first; around it stands what belongs to it (lead-in, list,
code), then what the same page adds. Units of different pages are never woven together.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from agent.answerers.plain import plain
from agent.answerers.selection import SelectionPolicy, select
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
    """Which passages are read and how units are scored."""

    read: int = 6
    """Passages whose units compete."""
    page_weight: float = 0.25
    """Weight of the passage's own score beside the cosine of its best unit."""
    chunk_weight: float = 1.0
    """Weight of the cosine of the whole chunk."""
    cover_weight: float = 0.2
    """Weight of the share of the question's topic terms that a unit holds."""
    asking_penalty: float = 0.3
    """Taken from a unit that asks itself: a question in a page is a heading, not an answer."""
    selection: SelectionPolicy = field(default_factory=SelectionPolicy)


@dataclass(frozen=True, slots=True)
class _Read:
    """One passage with its units scored."""

    marker: int
    passage: Passage
    units: tuple[Unit, ...]
    scores: tuple[float, ...]
    worth: float


class ExtractiveAnswerer:
    """Shows verbatim units of the best passages, in the order of the page."""

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
        best = await asyncio.to_thread(self._choose, question, passages)
        if best is None:
            return
        run = select(best.units, best.scores, self._policy.selection)
        for unit in best.units[run.first : run.last + 1]:
            if shown := _shown(unit):
                yield Draft(
                    text=stored(shown),
                    markers=(best.marker,),
                    block=_BLOCKS[unit.kind],
                    quote=stored(unit.text),
                    language=unit.language,
                )

    def _choose(self, question: Redacted, passages: Sequence[Passage]) -> _Read | None:
        """The passage worth most; the first of equals."""
        read = self._score(question, passages[: self._policy.read])
        return max(read, key=lambda r: (r.worth, -r.marker), default=None)

    def _score(self, question: Redacted, passages: Sequence[Passage]) -> list[_Read]:
        units = [split(p.chunk.text) for p in passages]
        texts = [stored(_shown(u) or u.text) for of_passage in units for u in of_passage]
        if not texts:
            return []
        cosines = self._encoder.encode_passages(texts) @ self._encoder.encode_query(question)
        topic = {t for t in terms(question) if t not in STOP_WORDS}
        covers = [_cover(topic, text) for text in texts]
        asking = [text.rstrip("*_ ").endswith("?") for text in texts]
        scores = (
            np.asarray(cosines)
            + self._policy.cover_weight * np.array(covers)
            - self._policy.asking_penalty * np.array(asking)
        )
        read, at = [], 0
        for marker, (passage, mine) in enumerate(zip(passages, units, strict=True), start=1):
            own = tuple(float(s) for s in scores[at : at + len(mine)])
            at += len(mine)
            if own:
                read.append(_Read(marker, passage, mine, own, self._worth(passage, max(own))))
        return read

    def _worth(self, passage: Passage, best_unit: float) -> float:
        policy = self._policy
        return best_unit + policy.chunk_weight * passage.dense + policy.page_weight * passage.score


def _cover(topic: set[str], text: str) -> float:
    return len(topic & set(terms(text))) / len(topic) if topic else 0.0


def _shown(unit: Unit) -> str:
    """What the reader sees of a unit: code and tables as they are, prose without its links."""
    if unit.kind in (UnitKind.CODE, UnitKind.TABLE):
        return unit.text
    return plain(unit.text)
