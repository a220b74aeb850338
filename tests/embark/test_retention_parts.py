"""The sweeper of a server: over every store it has, by itself, and again after an outage."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from embark import retention_parts
from embark.layers import load_settings
from embark.periods import DEFAULTS
from embark.records import now, open_books
from embark.retention_parts import letting_go, open_sweeper
from embark.settings import Settings
from embark.settings_onboarding import OnboardingSettings
from embark.wiring import open_copilot
from guardrails.audit import Wanted, What
from guardrails.decisions import DecisionRecord
from guardrails.store import StoreUnavailableError
from tests.contracts.decisions import ANSWER

LONG_AGO = timedelta(days=500)
LOOKS = 500
HARBOR = Path(__file__).parents[2] / "examples" / "harbor" / "onboarding"


async def emptied(record: DecisionRecord) -> None:
    """Raises TimeoutError when it does not come true."""
    for _ in range(LOOKS):
        if not (await record.query("default")).rows:
            return
        await asyncio.sleep(0.02)
    raise TimeoutError


async def test_a_server_lets_go_by_itself(indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention_parts, "FIRST_S", 0.0)
    settings = load_settings().settings
    async with open_copilot(settings) as product:
        assert product.records is not None
        books = product.records.books
        old = replace(ANSWER, tenant="default", at=now() - LONG_AGO)
        await books.decisions.add("default", [old])
        async with letting_go(settings, product):
            await emptied(books.decisions)
        (row,) = await books.audit.page("default", Wanted(what=What.RETENTION))
        assert (row.note.who, row.note.route) == ("embark", "embark serve")


async def test_an_outage_is_waited_for(indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Holds cannot be read at first: nothing goes until they can."""
    monkeypatch.setattr(retention_parts, "FIRST_S", 0.0)
    monkeypatch.setattr(retention_parts, "EVERY_S", 0.01)
    settings = load_settings().settings
    async with open_copilot(settings) as product:
        assert product.records is not None
        books = product.records.books
        old = replace(ANSWER, tenant="default", at=now() - LONG_AGO)
        await books.decisions.add("default", [old])
        holding, asked = books.holds.all, asyncio.Event()

        async def away(tenant: str) -> tuple[object, ...]:
            asked.set()
            raise StoreUnavailableError("away")

        monkeypatch.setattr(books.holds, "all", away)
        async with letting_go(settings, product):
            await asked.wait()
            assert len((await books.decisions.query("default")).rows) == 1
            monkeypatch.setattr(books.holds, "all", holding)
            await emptied(books.decisions)


def test_every_period_is_of_something_that_is_swept(tmp_path: Path) -> None:
    """Sessions apart: they are swept where they are shared."""
    settings = Settings(data_dir=tmp_path, onboarding=OnboardingSettings(folder=HARBOR))
    (tmp_path / "journal.sqlite").touch()
    with open_books(settings) as books, open_sweeper(settings, books) as sweeper:
        swept = {each.what.name: each.days for each in sweeper.kept}
    assert set(DEFAULTS) - {"sessions"} == set(swept) - {"outbox"}
    assert swept == {**{name: DEFAULTS[name] for name in swept if name in DEFAULTS},
                     "outbox": DEFAULTS["journal_details"]}  # fmt: skip
