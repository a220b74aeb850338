"""What serves a tenant now, a ranker and a model of stalling: what the pointer of their slot names,
read again every second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Generic, TypeVar

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
from onboarding.store.ranking.store import RANKER, STALLS, Champions
from onboarding.training import RuleStalls, StallModel, open_stalls

FRESH_S: Final = 1.0
"""A rollback is in effect everywhere after this and a query; 5 s are allowed."""
_log = structlog.get_logger(__name__)
T = TypeVar("T")


class Pointed(Generic[T]):
    """What `opened` makes of the version that a slot's pointer names, None for no version; of one
    process and tenant."""

    def __init__(
        self,
        champions: Champions,
        slot: str,
        tenant: str,
        monotonic: Callable[[], float],
        opened: Callable[[str | None], T],
    ) -> None:
        self._champions = champions
        self._slot = slot
        self._tenant = tenant
        self._monotonic = monotonic
        self._opened = opened
        self._known: tuple[str | None, T] | None = None
        self._at = 0.0

    async def now(self) -> T:
        """What was read last is served while the database does not answer."""
        known = self._known
        if known is not None and self._monotonic() - self._at < FRESH_S:
            return known[1]
        try:
            name = await self._champions.champion(self._tenant, self._slot)
        except StoreUnavailableError:
            _log.warning("model.pointer_not_read", slot=self._slot)
            return known[1] if known is not None else self._opened(None)
        if known is None or known[0] != name:
            known = name, await asyncio.to_thread(self._opened, name)
        self._known, self._at = known, self._monotonic()
        return known[1]


class ServedRanker:
    """A version that cannot be read is not served: the curated order is, and says so."""

    def __init__(
        self,
        champions: Champions,
        folder: ModelFolder,
        sentences: Sentences,
        tenant: str,
        monotonic: Callable[[], float],
    ) -> None:
        self._folder = folder
        self._sentences = sentences
        self.ranker = Pointed(champions, RANKER, tenant, monotonic, self._opened).now

    def _opened(self, name: str | None) -> Ranker:
        if name is None:
            return RuleRanker(Fallback.NO_MODEL)
        try:
            version = opened(self._folder.load(RANKER, name))
        except (ModelFileError, OSError) as failure:
            _log.error("ranker.not_loaded", version=name, reason=type(failure).__name__)
            return RuleRanker(Fallback.BAD_FILES)
        return ModelRanker(version, Explainer(version, self._sentences))


class ServedStalls:
    """A version that cannot be read, or was fitted on other definitions than `spec`, is not served:
    the rule is, and the log says why."""

    def __init__(
        self,
        champions: Champions,
        folder: ModelFolder,
        spec: str,
        tenant: str,
        monotonic: Callable[[], float],
    ) -> None:
        self._folder = folder
        self._spec = spec
        self.model = Pointed(champions, STALLS, tenant, monotonic, self._opened).now

    def _opened(self, name: str | None) -> StallModel | RuleStalls:
        if name is None:
            _log.info("stalls.by_rule", reason=Fallback.NO_MODEL.value)
            return RuleStalls()
        try:
            model = open_stalls(self._folder.load(STALLS, name))
        except (ModelFileError, OSError) as failure:
            _log.error("stalls.not_loaded", version=name, reason=type(failure).__name__)
            return RuleStalls()
        if model.spec != self._spec:
            _log.error("stalls.by_rule", version=name, reason=Fallback.OTHER_FEATURES.value)
            return RuleStalls()
        _log.info("stalls.by_model", version=name)
        return model
