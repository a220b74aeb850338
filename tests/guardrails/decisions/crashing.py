"""A process that records decisions and says which are safe, until it is killed.

`python -m tests.guardrails.decisions.crashing DATABASE_URL SCHEMA_OR_- START`
"""

from __future__ import annotations

import asyncio
import os
import sys
from itertools import count
from random import Random

from guardrails.decisions import OutcomeUpdate, Pace, RecordWriter
from guardrails.decisions.sql import SqlDecisions
from guardrails.decisions.types import Outcome
from guardrails.logging import open_log
from tests.contracts.decisions import id_of, made
from tools.store.engine import open_engine

UNSETTLED = 7
"""Rows put between two acknowledgements, as many decisions as updates of them."""


async def record_for_ever(url: str, schema: str | None, start: int) -> None:
    """Writes the ids that `settle` has vouched for, a block a line."""
    engine = open_engine(url, schema)
    log = open_log(sys.stderr.buffer)
    pace = Pace(batch=5, linger_s=0.001)
    async with RecordWriter(SqlDecisions(engine), log, Random(start), pace) as writer:
        for block in count():
            rows = [made(start + UNSETTLED * block + n) for n in range(UNSETTLED)]
            for row in rows:
                update = OutcomeUpdate(id_of(row.id), "t", row.id, Outcome.HELPFUL, row.at)
                assert writer.put(row)
                assert writer.put(update)
            await writer.settle()
            said = " ".join(row.id for row in rows)
            os.write(1, f"{said}\n".encode())


if __name__ == "__main__":
    url, schema, start = sys.argv[1:]
    asyncio.run(record_for_ever(url, None if schema == "-" else schema, int(start)))
