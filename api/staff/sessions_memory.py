"""Staff sessions of one process: gone when it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from api.staff.sessions import FLOW, SEEN_EVERY, Flow, StaffSession, is_over

MOST_FLOWS = 10_000
"""Anybody may begin to sign in: the oldest give way."""


class MemoryStaff:
    """A `StaffStore`."""

    def __init__(self) -> None:
        self._flows: dict[tuple[str, str], Flow] = {}
        self._sessions: dict[tuple[str, str], StaffSession] = {}

    async def begin(self, state: str, flow: Flow) -> None:
        self._flows[flow.tenant, state] = flow
        while len(self._flows) > MOST_FLOWS:
            del self._flows[next(iter(self._flows))]

    async def take(self, tenant: str, state: str, now: datetime) -> Flow | None:
        flow = self._flows.pop((tenant, state), None)
        return flow if flow is not None and now < flow.begun + FLOW else None

    async def open(self, digest: str, session: StaffSession) -> None:
        over = [key for key, each in self._sessions.items() if is_over(each, session.opened)]
        for key in over:
            del self._sessions[key]
        self._sessions[session.tenant, digest] = session

    async def find(self, tenant: str, digest: str, now: datetime) -> StaffSession | None:
        found = self._sessions.get((tenant, digest))
        if found is None or is_over(found, now):
            return None
        if now - found.seen >= SEEN_EVERY:
            self._sessions[tenant, digest] = replace(found, seen=now)
        return found

    async def close(self, tenant: str, digest: str) -> bool:
        return self._sessions.pop((tenant, digest), None) is not None

    async def close_all(self, tenant: str, subject: str) -> int:
        own = [k for k, s in self._sessions.items() if (k[0], s.subject) == (tenant, subject)]
        for key in own:
            del self._sessions[key]
        return len(own)
