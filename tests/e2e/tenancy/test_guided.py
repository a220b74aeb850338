"""The stores of onboarding by themselves: without the condition on the tenant in any of their
tables somebody notices."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import Engine

from tests.e2e.tenancy.guided import LOOKS, Guided, guided, harm, live, prepare
from tests.e2e.tenancy.statements import Use, without_tenant
from tests.e2e.tenancy.stores import canaries, canary
from tests.retrieval.building import folder_in_memory
from tools.store.engine import open_engine

USES = tuple(
    Use(table, kind)
    for kind, tables in {
        "delete": (
            "event_alias event_member event_quarantine feature_state intervention_choice "
            "intervention_delivery intervention_fix intervention_silence intervention_token "
            "intervention_watch journey_done journey_enrolment journey_guide journey_mode "
            "next_step_decision next_step_mute next_step_outcome profile_asked profile_edge "
            "profile_fact profile_self silent_person"
        ),
        "select": "journey_release journey_source journey_switch model_move readiness_evaluation",
    }.items()
    for table in tables.split()
)
"""One of each table; that all the others name their tenant is watched in `test_guards`."""
Views = dict[str, str]


class Scene(NamedTuple):
    folder: Path
    template: Path
    before: dict[str, Views]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with folder_in_memory() as folder:
        file = folder / "template.sqlite"
        yield Scene(folder, file, asyncio.run(_template(file)))


async def _template(file: Path) -> dict[str, Views]:
    engine = open_engine(f"sqlite:///{file}")
    prepare(engine)
    stores = guided(engine)
    for tenant in ("a", "b"):
        await live(stores, tenant, canary(tenant))
    before = {tenant: await seen(stores, tenant) for tenant in ("a", "b")}
    engine.dispose()
    return before


async def seen(stores: Guided, tenant: str) -> Views:
    return {name: repr(await look(stores, tenant)) for name, look in LOOKS.items()}


async def wrongs(scene: Scene, file: Path, use: Use | None) -> list[str]:
    """What goes wrong without the tenant in `use`; an error counts as well."""
    shutil.copyfile(scene.template, file)
    engine = open_engine(f"sqlite:///{file}")
    try:
        with _cut(use, engine):
            return await _lived(guided(engine), scene.before)
    except Exception as failure:  # noqa: BLE001  # a mutant may break anything
        return [f"{type(failure).__name__}: {failure}"]
    finally:
        engine.dispose()


def _cut(use: Use | None, engine: Engine) -> AbstractContextManager[None]:
    return nullcontext() if use is None else without_tenant(use, engine)


async def _lived(stores: Guided, before: dict[str, Views]) -> list[str]:
    await live(stores, "c", canary("c"))
    found = []
    for tenant, views in before.items():
        found += _changed(await seen(stores, tenant), views)
    found += sorted(canaries(*(await seen(stores, "c")).values()) - {canary("c")})
    await harm(stores, "b")
    return found + _changed(await seen(stores, "a"), before["a"])


def _changed(views: Views, before: Views) -> list[str]:
    return [name for name, view in views.items() if view != before[name]]


async def test_with_all_conditions_nothing_goes_wrong(scene: Scene) -> None:
    assert await wrongs(scene, scene.folder / "whole.sqlite", None) == []


async def test_what_a_tenant_takes_away_is_gone(scene: Scene) -> None:
    """Else a harm that does nothing would harm nobody."""
    file = scene.folder / "harmed.sqlite"
    shutil.copyfile(scene.template, file)
    engine = open_engine(f"sqlite:///{file}")
    stores = guided(engine)
    await harm(stores, "b")
    assert set(LOOKS) - set(_changed(await seen(stores, "b"), scene.before["b"])) == {"readiness"}
    engine.dispose()


@pytest.mark.parametrize("use", USES, ids=lambda use: f"{use.kind} {use.table}")
async def test_without_the_condition_somebody_notices(scene: Scene, use: Use) -> None:
    assert await wrongs(scene, scene.folder / f"{use.kind}-{use.table}.sqlite", use) != []
