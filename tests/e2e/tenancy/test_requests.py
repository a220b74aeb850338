"""Servers of several tenants over one index and one database of two hundred: five thousand requests
to every route, and no word of anybody else in an answer, a header, a stream or the log.

`EMBARK_TEST_TENANCY` sets how many requests (default 5,000).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.e2e.tenancy.fuzz import Fuzz
from tests.e2e.tenancy.servers import SERVED, filled, serving
from tests.e2e.tenancy.stores import canaries
from tests.retrieval.building import folder_in_memory

REQUESTS = int(os.environ.get("EMBARK_TEST_TENANCY", "5000"))
TENANTS = [f"tenant-{number}" for number in range(200)]
SPEAKING = {
    "get /v1/actions",
    "get /v1/audit",
    "get /v1/conversations/{thread_id}",
    "get /v1/decisions",
    "get /v1/decisions/export",
    "get /v1/holds",
    "get /v1/me/export",
    "get /v1/subjects/{subject}/export",
    "get /v1/receipts/{receipt_id}/jws",
    "get /v1/me/messages/wishes",
}
"""Routes that say words of their own tenant's people to them: else nothing could have leaked."""


@pytest.fixture
def folder() -> Iterator[Path]:
    with folder_in_memory() as folder:
        yield folder


async def test_no_request_gets_a_word_of_anybody_else(folder: Path) -> None:
    await filled(folder, TENANTS)
    with capture_logs() as logs:
        async with serving(folder, TENANTS[:SERVED]) as servers:
            found = await Fuzz(servers, TENANTS, seed=3).run(REQUESTS)
    assert found.leaks == []
    assert canaries(*logs) == set()
    assert found.requests == REQUESTS
    assert len(found.routes) > 40
    assert found.own >= SPEAKING
    assert found.broken == []
    assert found.statuses[200] > REQUESTS / 4
