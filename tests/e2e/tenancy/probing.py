"""A short life of three tenants in all stores, and whether anybody notices that a guard is gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Engine

from tests.e2e.tenancy.databases import sqlite
from tests.e2e.tenancy.stores import SUBJECT, Stores, canaries, canary, guessed, harm, live, seen
from tools.canonical import b64url
from tools.journal import Receipt

Guarded = Callable[[Engine, Engine], AbstractContextManager[object]]


def engines_of(stores: Stores) -> tuple[Engine, Engine]:
    return stores.engine, stores.conversations._engine


async def template(file: Path) -> dict[str, dict[str, str]]:
    """A database in which `a` and `b` have lived; what each sees."""
    async with sqlite(file) as stores:
        for tenant in ("a", "b"):
            await live(stores, tenant)
        return {tenant: await seen(stores, tenant) for tenant in ("a", "b")}


async def wrongs(
    file: Path, of: Path, before: dict[str, dict[str, str]], under: Guarded
) -> list[str]:
    """What goes wrong under `under`; an error counts as well. `file` is new, a copy of `of`."""
    async with sqlite(file, of) as stores:
        with under(*engines_of(stores)):
            try:
                return await _lived(stores, before)
            except Exception as failure:  # noqa: BLE001  # a mutant may break anything
                return [f"{type(failure).__name__}: {failure}"]


async def _lived(stores: Stores, before: dict[str, dict[str, str]]) -> list[str]:
    found: list[str] = []
    await live(stores, "c")
    for tenant, views in before.items():
        found += _differing(await seen(stores, tenant), views)
    own = {canary("c"), canary("c", "pages")}
    found += [f"c reads {word}" for word in canaries(*(await seen(stores, "c")).values()) - own]
    for tenant, other in (("a", "b"), ("b", "a"), ("c", "a")):
        found += [str(each) for each in await guessed(stores, tenant, other) if each is not None]
    await harm(stores, "b")
    found += _differing(await seen(stores, "a"), before["a"])
    await stores.ledger.disclosed("a", SUBJECT, "sam")
    return [*found, *_broken(await stores.journal.receipts("a"))]


def _broken(receipts: Sequence[Receipt]) -> list[str]:
    """A chain goes on from its own end, whatever other tenants wrote meanwhile."""
    ends = ["", *(b64url(sha256(receipt.jws.encode()).digest()) for receipt in receipts)]
    return [
        f"receipt {place} follows another one"
        for place, (receipt, prev) in enumerate(zip(receipts, ends, strict=False), start=1)
        if (receipt.seq, receipt.prev) != (place, prev)
    ]


def _differing(views: dict[str, str], before: dict[str, str]) -> list[str]:
    return [f"{name} changed" for name, view in views.items() if view != before[name]]
