"""The audit log in memory: the twin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from guardrails.audit.log import BLOCK, ERASED, PAGE, nameless
from guardrails.audit.types import EVERYTHING, Entry, Note, Wanted, What


class MemoryAudit:
    """Keeps nothing beyond the process."""

    def __init__(
        self, clock: Callable[[], datetime], pseudonym: Callable[[], str] = nameless
    ) -> None:
        self._clock = clock
        self._pseudonym = pseudonym
        self._rows: dict[str, list[Entry]] = {}
        self._last: dict[str, int] = {}

    async def write(self, note: Note) -> Entry:
        self._last[note.tenant] = self._last.get(note.tenant, 0) + 1
        entry = Entry(self._last[note.tenant], self._clock(), note)
        self._rows.setdefault(note.tenant, []).append(entry)
        return entry

    async def page(
        self,
        tenant: str,
        wanted: Wanted = EVERYTHING,
        *,
        before: int | None = None,
        limit: int = PAGE,
    ) -> tuple[Entry, ...]:
        found = [e for e in reversed(self._rows.get(tenant, ())) if _meets(e, wanted)]
        return tuple([e for e in found if before is None or e.seq < before][:limit])

    async def erase(self, tenant: str, subject: str) -> int:
        rows, name, gone = self._rows.get(tenant, []), self._pseudonym(), 0
        for place, entry in enumerate(rows):
            note = _without(entry.note, subject, name)
            if note != entry.note:
                rows[place] = replace(entry, note=note)
                gone += 1
        return gone

    async def naming(self, tenant: str, subject: str) -> int:
        rows = (entry.note for entry in self._rows.get(tenant, ()))
        return sum(_without(note, subject, ERASED) != note for note in rows)

    async def sweep(
        self, tenant: str, before: datetime, limit: int = BLOCK, keep: frozenset[str] = frozenset()
    ) -> int:
        doomed = self._doomed(tenant, before, keep)[:limit]
        self._rows[tenant] = [e for e in self._rows.get(tenant, ()) if e not in doomed]
        return len(doomed)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str] = frozenset()) -> int:
        return len(self._doomed(tenant, before, keep))

    def _doomed(self, tenant: str, before: datetime, keep: frozenset[str]) -> list[Entry]:
        rows = self._rows.get(tenant, ())
        return [e for e in rows if e.at < before and e.note.whom not in keep]


def _without(note: Note, subject: str, name: str) -> Note:
    approved = note.who == subject and note.what is What.APPROVAL
    who = name if approved else note.who
    return replace(note, who=who, whom=name if note.whom == subject else note.whom)


def _meets(entry: Entry, wanted: Wanted) -> bool:
    note = entry.note
    return (
        wanted.who in (None, note.who)
        and wanted.what in (None, note.what)
        and wanted.whom in (None, note.whom)
        and (wanted.since is None or wanted.since <= entry.at)
        and (wanted.until is None or entry.at < wanted.until)
    )
