"""Drafts of an answerer -> verified Markdown, unit by unit, and what became of the rest."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

import structlog

from agent.deps import Budget, Deps
from agent.render import Renderer
from agent.types import Answerer, AnswererError, Draft, Refusal, Spent, Utterance
from agent.verification import Verifier
from guardrails import Redacted
from retrieval.types import Citation, Evidence, Scope

_log = structlog.get_logger(__name__)

Emit = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Brief:
    """What is to be answered: the stand-alone question, its evidence, what was said before."""

    question: Redacted
    evidence: Evidence
    history: Sequence[Utterance]
    cut_short: str  # the closing words when a model stops in the middle
    scope: Scope


@dataclass(frozen=True, slots=True)
class Written:
    """What was shown. `refusal` is set when nothing was, and then `text` is empty."""

    text: str
    citations: tuple[Citation, ...]
    refusal: Refusal | None
    answerer: str
    dropped: int
    usage: dict[str, int]


async def write_answer(deps: Deps, brief: Brief, emit: Emit) -> Written:
    """Draft, verify and emit. The fallback takes over when the answerer fails with nothing shown.

    A model that fails after verified text was shown ends the answer there, and says so.
    """
    usage: Counter[str] = Counter()
    for answerer, budget in _attempts(deps):
        attempt = _Attempt(deps, answerer, brief, emit, budget, usage)
        try:
            await attempt.run()
        except AnswererError as error:
            _log.warning("answerer.failed", answerer=answerer.name, reason=str(error))
            if attempt.shown:
                attempt.emit_closing()
                return await asyncio.to_thread(attempt.written, None)
        else:
            missing = None if attempt.shown else Refusal.NOT_SUPPORTED
            return await asyncio.to_thread(attempt.written, missing)
    return Written("", (), Refusal.UPSTREAM, deps.answerer.name, 0, dict(usage))


def _attempts(deps: Deps) -> Iterator[tuple[Answerer, Budget]]:
    """Who may try, in order, and for how long."""
    if deps.fallback is None:
        yield deps.answerer, deps.budget.for_the_last()
    else:
        yield deps.answerer, deps.budget
        yield deps.fallback, deps.budget.for_the_last()


@dataclass(slots=True)
class _Attempt:
    """One answerer's try."""

    deps: Deps
    answerer: Answerer
    brief: Brief
    emit: Emit
    budget: Budget
    usage: Counter[str]
    shown: list[str] = field(default_factory=list)
    malformed: int = 0
    renderer: Renderer = field(default_factory=Renderer)
    verifier: Verifier = field(init=False)

    def __post_init__(self) -> None:
        sees = partial(self.deps.sees, self.brief.scope)
        self.verifier = Verifier(self.deps.grounding, self.brief.evidence, sees)

    async def run(self) -> None:
        drafts = self.answerer.draft(
            self.brief.question, self.brief.evidence.passages, self.brief.history
        )
        async with aclosing(within(drafts, self.budget)) as timely:
            async for item in timely:
                if isinstance(item, Spent):
                    self.usage.update(item.usage)
                    self.malformed += item.malformed
                    continue
                for unit in await asyncio.to_thread(self.verifier.check, item):
                    self._show(self.renderer.feed(unit))

    def emit_closing(self) -> None:
        self._show(self.renderer.close(self.brief.cut_short))

    def written(self, refusal: Refusal | None) -> Written:
        return Written(
            text="".join(self.shown),
            citations=self.verifier.citations,
            refusal=refusal,
            answerer=self.answerer.name,
            dropped=self.verifier.dropped.total() + self.malformed,
            usage=dict(self.usage),
        )

    def _show(self, delta: str) -> None:
        self.shown.append(delta)
        self.emit(delta)


async def within(
    drafts: AsyncIterator[Draft | Spent], budget: Budget
) -> AsyncGenerator[Draft | Spent, None]:
    """The same drafts, or AnswererError once one takes longer than the budget allows.

    The stream below is closed whichever way this ends.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + budget.total_s
    patience, given = budget.first_s, False
    try:
        while True:
            try:
                async with asyncio.timeout_at(min(end, loop.time() + patience)):
                    item = await anext(drafts)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise AnswererError(
                    f"no further unit within {patience:g} s", partial=given
                ) from error
            yield item
            patience, given = budget.gap_s, True
    finally:
        await _close(drafts)


async def _close(drafts: AsyncIterator[Draft | Spent]) -> None:
    """Async generators hold connections: closing them lets go at once, not at collection."""
    close = getattr(drafts, "aclose", None)
    if close is not None:
        await close()
