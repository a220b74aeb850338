"""Every SQL statement says whose rows it means; without that, in any of them, somebody notices."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import delete, or_, select, text, update

from guardrails.tenancy import EVERYBODY, within
from tests.e2e.tenancy.databases import sqlite
from tests.e2e.tenancy.probing import engines_of, template, wrongs
from tests.e2e.tenancy.statements import NUMBERING, Use, uses_of, watching, without_tenant
from tests.e2e.tenancy.stores import guessed, harm, live, seen
from tests.retrieval.building import folder_in_memory
from tools.tables import action, approval, receipt

USES = tuple(
    Use(table, kind)
    for table, kinds in {
        "action": "select update",
        "approval": "select update",
        "audit": "select update delete",
        "chain_head": "update",
        "connector_key": "select",
        "consent": "select delete",
        "conversation": "select update",
        "decision": "select update delete",
        "erasure": "select",
        "held_value": "select delete",
        "index_chunk": "select",
        "index_revocation": "select delete",
        "legal_hold": "select delete",
        "message": "select update",
        "receipt": "select",
        "receipt_checkpoint": "select update",
        "run_event": "select",
        "spent_today": "select update delete",
        "staff_flow": "delete",
        "staff_session": "select delete",
        "standing_consent": "select",
        "subject_key": "select",
        "user_credential": "select delete",
        "widget_session": "select delete",
    }.items()
    for kind in kinds.split()
)
"""Each is taken out in its turn."""
SECOND = {
    Use("action", "update"): ("digest",),
    Use("approval", "update"): ("digest", "action_id"),
}
"""A digest covers its tenant, and nobody has the id of another's action: further locks, which are
taken out with the first."""


class Scene(NamedTuple):
    folder: Path
    template: Path
    before: dict[str, dict[str, str]]
    numbers: Iterator[int]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with folder_in_memory() as folder:
        file = folder / "template.sqlite"
        yield Scene(folder, file, asyncio.run(template(file)), count())


async def test_every_statement_of_a_whole_life_says_whose_rows_it_means(tmp_path: Path) -> None:
    async with sqlite(tmp_path / "all.sqlite") as stores:
        with watching(*engines_of(stores)) as watch:
            for tenant in ("a", "b"):
                await live(stores, tenant)
            for tenant, other in (("a", "b"), ("b", "a")):
                await seen(stores, tenant)
                await guessed(stores, tenant, other)
            await harm(stores, "a")
    assert [sql for sql in watch.open.values() if not sql.startswith(NUMBERING)] == []
    assert set(USES) <= watch.uses


_OPEN = [
    select(action),
    select(action).where(action.c.id == "x"),
    select(action).where(or_(action.c.tenant == "a", action.c.id == "x")),
    select(action.c.id)
    .join(approval, approval.c.action_id == action.c.id)
    .where(action.c.tenant == "a"),
    update(receipt).values(jws=""),
    delete(approval).where(
        approval.c.id.in_(select(approval.c.id).where(approval.c.tenant == "a"))
    ),
    select(action).where(action.c.tenant == "a", action.c.id.in_(select(approval.c.action_id))),
    text("SELECT * FROM index_chunk WHERE id = :id"),
]
_SAID = [
    select(action).where(action.c.tenant == "a"),
    select(action).where(action.c.id == "x", action.c.tenant == "a").limit(1),
    select(action.c.id)
    .join(approval, (approval.c.action_id == action.c.id) & (approval.c.tenant == action.c.tenant))
    .where(action.c.tenant == "a"),
    update(receipt).where(receipt.c.tenant == "a").values(jws=""),
    text("SELECT * FROM index_chunk c WHERE c.id = :id AND c.tenant = :tenant"),
]


@pytest.mark.parametrize("statement", _OPEN, ids=str)
def test_a_statement_that_does_not_say_is_seen(statement: object) -> None:
    assert not all(named for _, named in uses_of(statement))


@pytest.mark.parametrize("statement", _SAID, ids=str)
def test_a_statement_that_says_is_let_through(statement: object) -> None:
    found = list(uses_of(statement))
    assert found != []
    assert all(named for _, named in found)


async def test_upkeep_says_so(tmp_path: Path) -> None:
    async with sqlite(tmp_path / "all.sqlite") as stores:
        with watching(stores.engine) as watch:
            for whose in (EVERYBODY, "a"):
                with within(whose), stores.engine.begin() as connection:
                    connection.execute(select(action))
                assert bool(watch.open) == (whose == "a")


async def test_with_all_guards_nothing_goes_wrong(scene: Scene) -> None:
    file = scene.folder / f"{next(scene.numbers)}.sqlite"
    assert await wrongs(file, scene.template, scene.before, lambda *_: nullcontext()) == []


@pytest.mark.parametrize("use", USES, ids=lambda use: f"{use.kind} {use.table}")
async def test_without_the_condition_somebody_notices(scene: Scene, use: Use) -> None:
    file = scene.folder / f"{next(scene.numbers)}.sqlite"
    under = partial(without_tenant, use, also=SECOND.get(use, ()))
    found = await wrongs(file, scene.template, scene.before, under)
    assert found != []
