"""Two hundred tenants with the same ids in every store of one database: nobody reads or changes
anything of anybody else, on SQLite and on PostgreSQL under a plain role.

`EMBARK_TEST_TENANTS` sets how many (default 200).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from retrieval.index import MissingTenantError
from tests.e2e.tenancy import guided
from tests.e2e.tenancy.databases import postgres, sqlite
from tests.e2e.tenancy.stores import (
    GUIDED,
    LOOKS,
    Stores,
    canaries,
    canary,
    guessed,
    harm,
    live,
    seen,
)
from tests.retrieval.building import folder_in_memory
from tools.journal import UnknownActionError

TENANTS = [
    f"tenant-{number}" for number in range(int(os.environ.get("EMBARK_TEST_TENANTS", "200")))
]
LOOKED_AT = 12
"""Tenants whose every view is read; the others are there to be found."""
SILENT = {"held tokens", "sessions", "purse", "consents", "audit of a person", "held back"} | {
    f"onboarding: {name}" for name in guided.SILENT
}
"""Views that count or mark, and hold no word of anybody."""


@pytest.fixture
def folder() -> Iterator[Path]:
    with folder_in_memory() as folder:
        yield folder


@pytest.fixture(params=["sqlite", "postgresql"])
async def stores(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Stores]:
    opening = postgres() if request.param == "postgresql" else sqlite(folder / "all.sqlite")
    async with opening as stores:
        yield stores


async def test_each_sees_its_own_alone(stores: Stores) -> None:
    rng = Random(11)
    looking = rng.sample(TENANTS, min(LOOKED_AT, len(TENANTS)))
    guides = {*looking, *TENANTS[::GUIDED]}
    at_once = 8 if stores.engine.dialect.name == "postgresql" else 1
    for start in range(0, len(TENANTS), at_once):
        some = TENANTS[start : start + at_once]
        await asyncio.gather(*(live(stores, each, guides=each in guides) for each in some))
    before = {tenant: await seen(stores, tenant) for tenant in looking}
    for tenant, views in before.items():
        own = {canary(tenant), canary(tenant, "pages")}
        assert canaries(*views.values()) == own
        empty = {name for name, view in views.items() if not canaries(view)}
        assert empty == SILENT
        assert set(await guessed(stores, tenant, rng.choice(TENANTS[:-1]) + "0")) == {None}
    for tenant, other in zip(looking, [*looking[1:], looking[0]], strict=True):
        assert [found for found in await guessed(stores, tenant, other) if found] == []
    for tenant in looking[::2]:
        await harm(stores, tenant)
    for tenant in looking[1::2]:
        assert await seen(stores, tenant) == before[tenant]


@pytest.mark.parametrize("tenant", ["", "*", "%", "tenant", "tenant-1' OR '1'='1"])
async def test_who_is_no_tenant_sees_nothing(folder: Path, tenant: str) -> None:
    async with sqlite(folder / "all.sqlite") as stores:
        await live(stores, "tenant-1")
        for name in SILENT ^ LOOKS.keys():
            with suppress(MissingTenantError, UnknownActionError):
                assert canaries(await LOOKS[name](stores, tenant)) == set()
