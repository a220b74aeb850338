"""Sessions of one process: gone when it ends."""

from __future__ import annotations

import heapq
from datetime import datetime

from api.sessions import Session, Spent


class MemorySessions:
    """A `SessionStore`. What was exchanged before it was made, it cannot know: a token issued
    before `since` counts as exchanged."""

    def __init__(self, since: datetime) -> None:
        self._since = since.replace(microsecond=0)  # most backends issue in whole seconds
        self._sessions: dict[tuple[str, str], Session] = {}
        self._spent: set[tuple[str, str]] = set()
        self._ends: list[tuple[datetime, tuple[str, str]]] = []

    async def open(self, digest: str, session: Session, spent: Spent, now: datetime) -> bool:
        self._sweep(now)
        token = (session.tenant, spent.token)
        if spent.issued < self._since or token in self._spent:
            return False
        self._spent.add(token)
        heapq.heappush(self._ends, (spent.until, token))
        key = (session.tenant, digest)
        self._sessions[key] = session
        heapq.heappush(self._ends, (session.expires, key))
        return True

    async def find(self, tenant: str, digest: str, now: datetime) -> Session | None:
        found = self._sessions.get((tenant, digest))
        return found if found is not None and now < found.expires else None

    async def close(self, tenant: str, digest: str) -> bool:
        return self._sessions.pop((tenant, digest), None) is not None

    async def close_all(self, tenant: str, subject: str) -> int:
        own = self._of(tenant, subject)
        for key in own:
            del self._sessions[key]
        return len(own)

    async def count(self, tenant: str, subject: str) -> int:
        return len(self._of(tenant, subject))

    def _of(self, tenant: str, subject: str) -> list[tuple[str, str]]:
        return [k for k, s in self._sessions.items() if k[0] == tenant and s.subject == subject]

    def _sweep(self, now: datetime) -> None:
        while self._ends and self._ends[0][0] <= now:
            _, key = heapq.heappop(self._ends)
            self._spent.discard(key)  # both are hashes: a key is in one of the two at most
            self._sessions.pop(key, None)
