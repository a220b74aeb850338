"""A process of its own that asks whether training is allowed until it is not.

python -m tests.guardrails.consent.asking URL AGE_S
"""

from __future__ import annotations

import asyncio
import sys

from guardrails.consent import CachedConsents, Permission, Purpose
from guardrails.consent.sql import SqlConsents
from tests.contracts.consent import KEY
from tools.store.engine import open_engine

LOOK_S = 0.02


async def main(url: str, age_s: float) -> None:
    engine = open_engine(url)
    permission = Permission(CachedConsents(SqlConsents(engine, KEY), age_s))
    said = False
    while await permission.may("t", "ana", Purpose.TRAINING):
        if not said:
            sys.stdout.write("allowed\n")
            sys.stdout.flush()
            said = True
        await asyncio.sleep(LOOK_S)
    sys.stdout.write("denied\n")
    engine.dispose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
