"""A drafted unit and the evidence -> the unit as it may be shown, or nothing.

Nothing is shown that a stored passage does not support. Citations are data of ours: numbers by
first use, and a quote that is verbatim text of the chunk. What the answerer says about a source is
only a position in the list of passages that it was given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from agent.blocks import Stretch, code_in, table_in
from agent.render import Unit
from agent.types import Block, Draft
from guardrails import (
    GroundingPolicy,
    Redacted,
    Similarity,
    best_quote,
    sanitise,
    split_sentences,
    stored,
    verify,
)
from retrieval.types import Chunk, Citation, Evidence

MOST_UNITS = 200
"""Units of one answer; longer than any page that answers a question."""
LONGEST_QUOTE = 600
"""Code points up to which a citation's quote grows over neighbouring units of its chunk: about
what a citation card shows without scrolling. A single unit may be longer."""
LONGEST_BLOCK_QUOTE = 2_000
"""The same once it takes in code or a table, whose quotes are long by themselves."""
_WHOLE = frozenset({Block.CODE, Block.TABLE})
_LINK_SIGNS = ("://", "](", "][", "![", "]:", "www.", "<a ", "<img")


@dataclass(frozen=True, slots=True)
class Grounding:
    """How support is judged: the fitted policy and the encoder's similarity."""

    policy: GroundingPolicy
    similarity: Similarity


@dataclass(slots=True)
class _Cited:
    """One numbered citation while the answer grows: a stretch of one chunk."""

    marker: int
    chunk: Chunk
    stretch: Stretch


class _Lead(NamedTuple):
    """A heading that waits for what it leads to, and where it stands."""

    unit: Unit
    chunk: Chunk


def _always(_chunk: Chunk) -> bool:
    return True


class Verifier:
    """Verifies the drafts of one answer, in order. Not thread-safe; `check` may call the encoder.

    `dropped` counts drafts that were not shown, by reason: the codes of `guardrails.Verdict`,
    `heading` for a lead-in that no page has, `code` and `table` for one that is not the page's own,
    `url` also for links and images, `revoked` for a marker of what may not be shown any more,
    `empty` for no words, `too_many` beyond `MOST_UNITS`.
    """

    def __init__(
        self, grounding: Grounding, evidence: Evidence, sees: Callable[[Chunk], bool] = _always
    ) -> None:
        """`sees` says whether a chunk may be shown now; it is asked for every unit."""
        self.dropped: Counter[str] = Counter()
        self._grounding = grounding
        self._sees = sees
        self._version = evidence.version
        self._chunks: Mapping[int, Chunk] = {
            position: passage.chunk for position, passage in enumerate(evidence.passages, start=1)
        }
        self._sources = {position: chunk.text for position, chunk in self._chunks.items()}
        self._cited: list[_Cited] = []
        self._lead: _Lead | None = None
        self._released = 0

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Citations of everything released so far, by number, without what was taken away since."""
        left = [cited for cited in self._cited if self._sees(cited.chunk)]
        return tuple(_citation(cited, self._version) for cited in left)

    def check(self, draft: Draft) -> tuple[Unit, ...]:
        """What may be shown of the draft, in order; empty when it is dropped.

        A lead-in waits for the first unit that it leads to.
        """
        if self._released >= MOST_UNITS:
            self.dropped["too_many"] += 1
            return ()
        draft = self._permitted(draft)
        if draft.block is Block.HEADING:
            self._hold(draft)
            return ()
        units = tuple(self._units(draft))
        self._released += len(units)
        lead, self._lead = (self._lead, None) if units else (None, self._lead)
        if lead is None or not self._sees(lead.chunk):
            return units
        return (lead.unit, *units)

    def _permitted(self, draft: Draft) -> Draft:
        """Without markers of chunks that may not be shown any more."""
        gone = {m for m in draft.markers if m in self._chunks and not self._sees(self._chunks[m])}
        if not gone:
            return draft
        self.dropped["revoked"] += len(gone)
        return replace(draft, markers=tuple(m for m in draft.markers if m not in gone))

    def _hold(self, draft: Draft) -> None:
        known = [self._chunks[m] for m in draft.markers if m in self._chunks]
        text = " ".join(draft.text.split())
        if any(text in (chunk.title, *chunk.heading_path) for chunk in known):
            shown = sanitise(text)
            unit = Unit(shown, Block.HEADING, (), known[0].id)
            self._lead = _Lead(unit, known[0]) if shown.strip() else None
        else:
            self.dropped["heading"] += 1

    def _units(self, draft: Draft) -> Iterator[Unit]:
        if draft.block in _WHOLE:
            yield from self._verbatim(draft)
        else:
            yield from self._prose(draft)

    def _verbatim(self, draft: Draft) -> Iterator[Unit]:
        find = code_in if draft.block is Block.CODE else table_in
        for marker in draft.markers:
            chunk = self._chunks.get(marker)
            stretch = find(draft.text, chunk.text) if chunk is not None else None
            if chunk is not None and stretch is not None:
                yield self._unit(draft, {chunk: stretch})
                return
        unknown = not any(marker in self._chunks for marker in draft.markers)
        self.dropped["unknown_citation" if unknown else draft.block.value] += 1

    def _prose(self, draft: Draft) -> Iterator[Unit]:
        cited = [self._sources[m] for m in draft.markers if m in self._sources]
        text = sanitise(draft.text, sources=cited).strip()
        if _led_away(draft.text, text):
            self.dropped["url"] += 1
            return
        if not any(char.isalnum() for char in text):
            self.dropped["empty"] += 1
            return
        clean = replace(draft, text=stored(text))
        reason = self._reason(clean)
        if reason is None:
            yield from self._proven(clean)
        else:
            yield from self._parts(clean, reason)

    def _parts(self, draft: Draft, reason: str) -> Iterator[Unit]:
        """Of several sentences in one unit, those that hold; a list item needs its first one."""
        sentences = split_sentences(draft.text)
        if len(sentences) == 1:
            self.dropped[reason] += 1
            return
        held: list[str] = []
        for sentence in sentences:
            why = self._reason(replace(draft, text=stored(sentence), quote=None))
            if why is None:
                held.append(sentence)
                continue
            self.dropped[why] += 1
            if draft.block is not Block.SENTENCE:
                break
        if held:
            yield from self._proven(replace(draft, text=stored(" ".join(held)), quote=None))

    def _reason(self, draft: Draft) -> str | None:
        """None when every sentence of the draft is supported, else why it is not."""
        whole = self._verdict(draft.text, draft.quote, draft.markers)
        if whole is not None:
            return whole
        sentences = split_sentences(draft.text)
        if len(sentences) == 1:
            return None
        parts = (self._verdict(stored(s), None, draft.markers) for s in sentences)
        return next((why for why in parts if why is not None), None)

    def _verdict(
        self, text: Redacted, quote: Redacted | None, markers: Sequence[int]
    ) -> str | None:
        judged = verify(
            text,
            quote,
            self._sources,
            markers,
            self._grounding.policy,
            self._grounding.similarity,
        )
        return None if judged.supported else judged.reason or "support"

    def _proven(self, draft: Draft) -> Iterator[Unit]:
        stretches: dict[Chunk, Stretch] = {}
        for marker in self._needed(draft):
            chunk = self._chunks[marker]
            quote = draft.quote if marker == draft.markers[0] else None
            stretch = _stretch(draft.text, quote, chunk)
            if stretch is not None:
                stretches.setdefault(chunk, stretch)
        if stretches:
            yield self._unit(draft, stretches)
        else:
            self.dropped["quote"] += 1

    def _needed(self, draft: Draft) -> Sequence[int]:
        """The passages that support it alone; all of them when it takes several together."""
        markers = tuple(dict.fromkeys(draft.markers))
        if len(markers) == 1:
            return markers
        alone = [m for m in markers if self._verdict(draft.text, None, (m,)) is None]
        return alone or markers

    def _unit(self, draft: Draft, stretches: Mapping[Chunk, Stretch]) -> Unit:
        longest = LONGEST_BLOCK_QUOTE if draft.block in _WHOLE else LONGEST_QUOTE
        markers = sorted(self._number(chunk, at, longest) for chunk, at in stretches.items())
        topic = next(iter(stretches)).id
        text: str = draft.text
        if draft.block is Block.TABLE:
            text = sanitise(text, sources=[chunk.text for chunk in stretches])
        return Unit(text, draft.block, tuple(markers), topic, draft.language)

    def _number(self, chunk: Chunk, stretch: Stretch, longest: int) -> int:
        """The number of the citation that holds the stretch, widened where it may be, or new."""
        for cited in self._cited:
            start = min(cited.stretch.start, stretch.start)
            end = max(cited.stretch.end, stretch.end)
            inside = Stretch(start, end) == cited.stretch
            if cited.chunk.id == chunk.id and (inside or end - start <= longest):
                cited.stretch = Stretch(start, end)
                return cited.marker
        self._cited.append(_Cited(len(self._cited) + 1, chunk, stretch))
        return len(self._cited)


def _led_away(written: str, clean: str) -> bool:
    """Whether a link, image or address had to be taken out. Answerers are told to write none, so
    what stands around one is dropped as well: a page may have asked for it."""
    return any(written.count(sign) > clean.count(sign) for sign in _LINK_SIGNS)


def _stretch(text: Redacted, quote: Redacted | None, chunk: Chunk) -> Stretch | None:
    for candidate in (quote, text, best_quote(text, chunk.text)):
        at = chunk.text.find(candidate) if candidate else -1
        if candidate and at >= 0:
            return Stretch(at, at + len(candidate))
    return None


def _citation(cited: _Cited, version: str) -> Citation:
    chunk = cited.chunk
    return Citation(
        id=f"c{cited.marker}",
        marker=cited.marker,
        chunk_id=chunk.id,
        path=chunk.path,
        title=chunk.title,
        anchor=chunk.anchor,
        quote=chunk.text[cited.stretch.start : cited.stretch.end],
        doc_version=chunk.doc_version,
        index_version=version,
        url=chunk.url,
    )
