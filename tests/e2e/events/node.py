"""A node in a process of its own, to be killed: events over HTTP into a database, features beside.

python -m tests.e2e.events.node PORT URL [SCHEMA]
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

import uvicorn
from fastapi import FastAPI

from api import errors, events
from api.events import EventDesk, WriteKeys
from guardrails.consent import Channel, Purpose, Statement
from guardrails.consent.memory import MemoryConsents
from onboarding.events.intake import Intake, IntakeParts
from onboarding.features.updating import FeatureUpdater
from onboarding.store.events.engine import upgrade
from onboarding.store.events.grouping import Grouped
from onboarding.store.events.log import SqlEventLog
from onboarding.store.events.quarantine import SqlQuarantine
from onboarding.store.features import sql
from onboarding.store.features.sql import SqlFeatures
from tests.contracts.events import mac
from tests.onboarding.events.parts import KEY, OpenSeal
from tests.onboarding.features.streams import features, harbor
from tools.store.engine import open_engine

WRITE_KEY = "write-key-0123456789"
USERS = ("ana", "bo", "cy")


async def main(port: int, url: str, schema: str | None = None) -> None:
    consents = MemoryConsents(KEY)
    for user in USERS:
        said = Statement(
            "t", user, Purpose.PRODUCT_ANALYTICS, True, "c-1", Channel.HOST, now(), user
        )
        await consents.record(said)
    engine = open_engine(url, schema)
    upgrade(engine, now())
    sql.upgrade(engine)
    log = SqlEventLog(engine, mac, Grouped(linger_s=0.002))
    parts = IntakeParts(harbor(), log, SqlQuarantine(engine), consents, OpenSeal())
    desk = EventDesk("t", Intake(parts), WriteKeys([WRITE_KEY]), now)
    app = FastAPI()
    app.include_router(events.router(desk))
    errors.install(app)
    updating = FeatureUpdater(log, SqlFeatures(engine), features(), "t")
    task = asyncio.create_task(updating.run())
    config = uvicorn.Config(app, port=port, log_level="error", access_log=False)
    await uvicorn.Server(config).serve()
    task.cancel()


def now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))
