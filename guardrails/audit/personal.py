"""The audit log as one of the places that keep something of a person, and as JSON lines."""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson

from guardrails.audit.log import AuditLog
from guardrails.audit.types import EVERYTHING, Entry, Wanted, named
from guardrails.refs import stamp

BLOCK = 500


def line(entry: Entry) -> dict[str, object]:
    """A row as it is shown."""
    note = entry.note
    return {
        "seq": entry.seq,
        "at": stamp(entry.at),
        "who": note.who,
        "what": note.what.value,
        "whom": note.whom,
        "route": note.route,
        "request_id": note.request_id,
    }


async def exported(
    log: AuditLog, tenant: str, wanted: Wanted = EVERYTHING, block: int = BLOCK
) -> AsyncIterator[bytes]:
    """One object a line, newest first, read page by page."""
    before: int | None = None
    while page := await log.page(tenant, wanted, before=before, limit=block):
        for entry in page:
            yield orjson.dumps(line(entry), option=orjson.OPT_APPEND_NEWLINE)
        before = page[-1].seq


class PersonalAudit:
    """Who looked at them is theirs to know; erased, the rows stay, about nobody."""

    name = "audit"

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    async def export(self, tenant: str, subject: str) -> AsyncIterator[str]:
        async for text in exported(self._log, tenant, Wanted(whom=named(subject))):
            yield text.decode().rstrip("\n")

    async def erase(self, tenant: str, subject: str) -> int:
        return await self._log.erase(tenant, named(subject))

    async def residue(self, tenant: str, subject: str) -> int:
        return await self._log.naming(tenant, named(subject))
