"""Decisions as JSON lines, read page by page: an export of any size takes the memory of a page."""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson

from guardrails.decisions.record import Cursor, DecisionRecord, Recorded, Wanted
from guardrails.decisions.rows import decision_row, update_row

BLOCK = 500


async def exported(
    record: DecisionRecord, tenant: str, wanted: Wanted, block: int = BLOCK
) -> AsyncIterator[bytes]:
    """One object a line, newest first, each with its updates; what comes meanwhile is left out."""
    after: Cursor | None = None
    while True:
        page = await record.query(tenant, wanted, after=after, limit=block)
        for row in page.rows:
            yield line(row)
        if page.next is None:
            return
        after = page.next


def line(row: Recorded) -> bytes:
    """`first_outcome` and `reason` are of the decision, `outcome` is the newest."""
    stored = decision_row(row.decision)
    stored["first_outcome"], stored["outcome"] = stored["outcome"], row.outcome.value
    stored["updates"] = [
        {name: value for name, value in update_row(u).items() if name in _OF_UPDATES}
        for u in row.updates
    ]
    return orjson.dumps(stored, option=orjson.OPT_APPEND_NEWLINE)


_OF_UPDATES = ("id", "outcome", "at", "reason")
