"""answers of a store -> hits: the one place where everything that a store gives is checked again.

A store that answers with anything else than it was asked for has a fault, or was tampered with.
Then nothing of that answer is used: the search fails, and an alarm says what was wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import structlog

from guardrails.logging import Log
from retrieval.filters import Clause
from retrieval.index import IndexUnavailableError, OutsideScopeError
from retrieval.tags import CHUNK, COVERED, TAG, TENANT, Payload, Tags
from retrieval.types import ChunkId, Hit

_log = Log(structlog.get_logger(__name__))


class Answer(NamedTuple):
    """One hit as the store gave it: the payload, and the store's score."""

    payload: Payload
    score: float


class Gateway:
    """Of one open index version. `alarms` counts what was dropped, by reason: the field of the
    scope that the hit does not meet, or `tag`."""

    def __init__(self, tags: Tags) -> None:
        self.tags = tags
        self.alarms: Counter[str] = Counter()

    def admit(self, answers: Iterable[Answer], required: Sequence[Clause]) -> tuple[Hit, ...]:
        """The hits in the order given. Raises OutsideScopeError when any of them does not satisfy
        every clause or does not carry its tag; all of them are looked at first."""
        hits: list[Hit] = []
        dropped = 0
        for payload, score in answers:
            reason = self._objection(payload, required)
            if reason is None:
                hits.append(Hit(ChunkId(str(payload[CHUNK])), score))
            else:
                dropped += 1
                self._alarm(payload, reason)
        if dropped:
            raise OutsideScopeError(dropped)
        return tuple(hits)

    def check(self, payload: Payload) -> None:
        """Raises IndexUnavailableError unless this stored point carries its tag."""
        if TAG not in payload:
            raise IndexUnavailableError(
                f"{self.tags.version} was built before its points were tagged; "
                "build it again with `embark index run --full`"
            )
        if not self.tags.holds(payload):
            raise IndexUnavailableError(
                f"{self.tags.version} was tagged under another key than the one in the data "
                "folder (keys/vault.key): put that key back, or build the index again with "
                "`embark index run --full`"
            )

    def _objection(self, payload: Payload, required: Sequence[Clause]) -> str | None:
        if not isinstance(payload.get(CHUNK), str):
            return CHUNK
        for clause in required:
            if not clause.admits(payload):
                return clause.field
        return None if self.tags.holds(payload) else TAG

    def _alarm(self, payload: Payload, reason: str) -> None:
        """Ids and names of fields only."""
        self.alarms[reason] += 1
        ids = {"chunk_id": payload.get(CHUNK), "tenant": payload.get(TENANT)}
        said = {name: value for name, value in ids.items() if isinstance(value, str)}
        _log.write(
            "error",
            "index.hit_outside_scope",
            {**said, "index_version": self.tags.version, "reason": reason},
            alarms=self.alarms.total(),
        )


def needed(required: Sequence[Clause]) -> list[str]:
    """The payload fields that `Gateway.admit` looks at."""
    return list(dict.fromkeys((*COVERED, TAG, *(clause.field for clause in required))))
