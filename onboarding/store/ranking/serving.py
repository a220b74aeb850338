"""The ranker that serves a tenant now: what the champion pointer names, read again every second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from guardrails.store import StoreUnavailableError
from onboarding.ranking import (
    Explainer,
    Fallback,
    ModelFileError,
    ModelRanker,
    Ranker,
    RuleRanker,
    Sentences,
    opened,
)
from onboarding.store.ranking.registry import ModelFolder
from onboarding.store.ranking.store import RANKER, Champions
from onboarding.training import StallModel, open_stalls

FRESH_S: Final = 1.0
"""A rollback is in effect everywhere after this and a query; 5 s are allowed."""
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Loaded:
    name: str | None
    ranker: Ranker
    at: float


class ServedRanker:
    """Of one process and tenant. A version that cannot be read is not served: the curated order is,
    and says so."""

    def __init__(
        self,
        champions: Champions,
        folder: ModelFolder,
        sentences: Sentences,
        tenant: str,
        monotonic: Callable[[], float],
    ) -> None:
        self._champions = champions
        self._folder = folder
        self._sentences = sentences
        self._tenant = tenant
        self._monotonic = monotonic
        self._loaded: _Loaded | None = None

    async def ranker(self) -> Ranker:
        """What was read last is served while the database does not answer."""
        known = self._loaded
        if known is not None and self._monotonic() - known.at < FRESH_S:
            return known.ranker
        try:
            name = await self._champions.champion(self._tenant, RANKER)
        except StoreUnavailableError:
            _log.warning("ranker.pointer_not_read")
            return known.ranker if known else RuleRanker(Fallback.NO_MODEL)
        if known is None or known.name != name:
            ranker = await asyncio.to_thread(self._opened, name)
            known = _Loaded(name, ranker, 0.0)
        known.at = self._monotonic()
        self._loaded = known
        return known.ranker

    def _opened(self, name: str | None) -> Ranker:
        if name is None:
            return RuleRanker(Fallback.NO_MODEL)
        try:
            version = opened(self._folder.load(RANKER, name))
        except (ModelFileError, OSError) as failure:
            _log.error("ranker.not_loaded", version=name, reason=type(failure).__name__)
            return RuleRanker(Fallback.BAD_FILES)
        return ModelRanker(version, Explainer(version, self._sentences))


def stall_model(folder: ModelFolder, slot: str, version: str) -> StallModel:
    """Raises ModelFileError."""
    return open_stalls(folder.load(slot, version))
