"""Harbor's own events over HTTP into the intake: all are planned, and become features."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI

from api import errors, events
from api.events import EventDesk, WriteKeys
from guardrails.consent import Channel, Purpose, Statement
from guardrails.consent.memory import MemoryConsents
from onboarding.events.intake import Intake, IntakeParts
from onboarding.events.memory import MemoryEventLog
from onboarding.features.memory import MemoryFeatures
from onboarding.features.store import Features
from onboarding.features.updating import FeatureUpdater
from onboarding.types import Person
from tests.contracts.events import mac
from tests.harbor.running import Harbor, running_harbor
from tests.onboarding.events.parts import KEY, OpenSeal
from tests.onboarding.features.streams import features, harbor

WRITE_KEY = "write-key-0123456789"


@contextmanager
def listening(intake: Intake) -> Iterator[str]:
    """A server in a thread of its own."""
    desk = EventDesk("t", intake, WriteKeys([WRITE_KEY]), lambda: datetime.now(UTC))
    app = FastAPI()
    app.include_router(events.router(desk))
    errors.install(app)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def _deeds(product: Harbor) -> str:
    """Whose they are."""
    made = {"kind": "stripe", "credentials": {"restricted_key": "rk_live_revoked"}}
    connection = product.call("POST", "/v1/connections", json=made).json()["id"]
    assert product.call("POST", f"/v1/connections/{connection}/check").status_code == 422
    product.call("POST", "/v1/dashboards", json={"name": "A"}).raise_for_status()
    invite = {"email": "zoe@x.example", "role": "viewer"}
    product.call("POST", "/v1/invites", json=invite).raise_for_status()
    product.call("POST", "/v1/kits/fintech/apply").raise_for_status()
    plan = {"plan": "enterprise", "interval": "monthly"}
    product.call("PUT", "/v1/billing/plan", json=plan).raise_for_status()
    assert product.call("POST", "/v1/dashboards", "viewer", json={"name": "B"}).status_code == 403
    return str(product.session["members"]["owner"])


@pytest.mark.alone
async def test_all_that_harbor_tells_is_stored(tmp_path: Path) -> None:
    log, consents, store = MemoryEventLog(mac), MemoryConsents(KEY), MemoryFeatures()
    intake = Intake(IntakeParts(harbor(), log, log, consents, OpenSeal()))
    with listening(intake) as url:
        flags = ("--events-key", WRITE_KEY, "--events-url", f"{url}/v1/events")
        with running_harbor(tmp_path, *flags) as product:
            owner = product.session["members"]["owner"]
            now = datetime.now(UTC)
            await consents.record(
                Statement(
                    "t", owner, Purpose.PRODUCT_ANALYTICS, True, "c-1", Channel.HOST, now, "h"
                )
            )
            assert _deeds(product) == owner
            ends = time.monotonic() + 20
            while len(await log.read("t", "g")) < 8:
                assert time.monotonic() < ends, intake.tally
                time.sleep(0.05)  # noqa: ASYNC251  # the server has a thread of its own
            workspace = product.session["workspace"]
    assert {status for _, status in intake.tally} <= {"stored", "dropped"}, intake.tally
    assert await log.held("t") == ()
    names = [each.event.name for each in await log.read("t", "g")]
    assert names == [
        "Connection Created", "Connection Check Failed", "Dashboard Created", "Member Invited",
        "Kit Applied", "group", "Plan Changed", "Permission Denied",
    ]  # fmt: skip
    await FeatureUpdater(log, store, features(), "t").catch_up()
    online = Features(log, store, features())
    snapshot = await online.snapshot(Person("t", owner, workspace), datetime.now(UTC))
    assert snapshot.values["n_errors_1d"] == 1
    assert snapshot.values["n_core_1d"] == 4
    assert snapshot.values["has_unsolved_error"] == 1
    assert snapshot.values["distinct_features_28"] == 4
