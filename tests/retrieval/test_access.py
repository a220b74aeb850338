"""Revocations: one contract on three stores, and what a library shows while they change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs
from typing_extensions import override

from retrieval.access import (
    PAGE,
    RECHECK_S,
    STALE_S,
    Access,
    MemoryRevocations,
    Revocation,
    Revocations,
    WatchedLibrary,
)
from retrieval.access_sql import SqlRevocations, prepare
from retrieval.index import IndexUnavailableError
from retrieval.types import LABEL_FIELDS, Labels, Scope
from tests.api.shelf import INVITE, ShelfLibrary, chunk
from tests.postgres import own_schema
from tools.store.engine import open_engine

NOW = datetime(2026, 5, 1, tzinfo=UTC)
PATH = INVITE[0].path
STAFF = Scope("acme", unrestricted=True)


def page(path: str = PATH, tenant: str = "acme") -> Revocation:
    return Revocation(tenant, PAGE, path, NOW)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def connect(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Revocations]]:
    """Each call is another process's view of the same rows."""
    if request.param == "memory":
        memory = MemoryRevocations()
        yield lambda: memory
    elif request.param == "sqlite":
        engine = open_engine(f"sqlite:///{tmp_path / 'main.sqlite'}")
        yield lambda: SqlRevocations(lambda: engine)
        engine.dispose()
    else:
        with own_schema() as (url, schema):
            engine = open_engine(url, schema)
            yield lambda: SqlRevocations(lambda: engine)
            engine.dispose()


def test_nothing_is_revoked_at_first(connect: Callable[[], Revocations]) -> None:
    assert connect().all("acme") == ()


def test_what_one_process_revokes_all_find(connect: Callable[[], Revocations]) -> None:
    here, there = connect(), connect()
    assert there.all("acme") == ()
    assert here.revoke(page())
    assert not here.revoke(page()._replace(since=datetime(2026, 6, 1, tzinfo=UTC)))
    assert there.revoke(Revocation("acme", "plan", "beta", NOW))
    assert (
        there.all("acme") == here.all("acme") == (page(), Revocation("acme", "plan", "beta", NOW))
    )
    assert there.restore("acme", PAGE, PATH)
    assert not here.restore("acme", PAGE, PATH)
    assert [row.field for row in here.all("acme")] == ["plan"]


def test_a_tenant_revokes_for_itself_alone(connect: Callable[[], Revocations]) -> None:
    stored = connect()
    stored.revoke(page())
    stored.revoke(page("other.md", "globex"))
    assert stored.all("acme") == (page(),)
    assert stored.all("globex") == (page("other.md", "globex"),)
    assert not stored.restore("globex", PAGE, PATH)
    assert stored.all("") == stored.all("*") == ()


def test_row_security_is_on() -> None:
    with own_schema() as (url, schema):
        engine = open_engine(url, schema)
        for _ in range(2):
            prepare(engine)
        stored = SqlRevocations(lambda: engine)
        stored.revoke(page())
        with engine.connect() as connection:
            assert connection.execute(text("SELECT * FROM index_revocation")).all() == []
        engine.dispose()


class Broken(MemoryRevocations):
    """Answers until it is told not to."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.asked = 0

    @override
    def all(self, tenant: str) -> tuple[Revocation, ...]:
        self.asked += 1
        if self.away:
            raise IndexUnavailableError("away")
        return super().all(tenant)


class Rig:
    def __init__(self) -> None:
        self.stored, self.now_s = Broken(), 0.0
        self.access = Access(self.stored, lambda: self.now_s)
        self.library = WatchedLibrary(ShelfLibrary(), self.access)

    def shown(self) -> list[str]:
        with self.library.lease() as snapshot:
            return [c.id for c in snapshot.chunks.page("acme", "guides/invite")]


def test_a_revoked_page_is_gone_within_the_recheck_and_comes_back() -> None:
    rig = Rig()
    before = rig.shown()
    assert len(before) == 3
    rig.stored.revoke(page())
    rig.now_s = RECHECK_S - 0.01
    assert rig.shown() == before
    rig.now_s = RECHECK_S
    assert rig.shown() == []
    with rig.library.lease() as snapshot:
        assert snapshot.chunks.get("acme", [c.id for c in INVITE]) == {}
        assert list(snapshot.chunks.chunks()) == []
    assert not rig.library.sees(STAFF, INVITE[0])
    rig.stored.restore("acme", PAGE, PATH)
    rig.now_s += RECHECK_S
    assert rig.shown() == before
    assert rig.library.sees(STAFF, INVITE[0])


def test_rows_are_read_once_in_a_while() -> None:
    rig = Rig()
    for _ in range(1000):
        rig.library.sees(STAFF, INVITE[0])
    assert rig.stored.asked == 1


@pytest.mark.parametrize("field", LABEL_FIELDS)
def test_a_revoked_label_grants_nothing_but_what_others_grant(field: str) -> None:
    rig = Rig()
    rig.stored.revoke(Revocation("acme", field, "beta", NOW))
    beta = Scope("acme", {field: frozenset({"beta"})})
    both = Scope("acme", {field: frozenset({"beta", "pro"})})
    only, shared, free = (
        chunk(0, "x", labels=Labels("acme", **{field: values}))  # type: ignore[arg-type]
        for values in (("beta",), ("beta", "pro"), ("*",))
    )
    seen = [[rig.access.sees(scope, c) for c in (only, shared, free)] for scope in (beta, both)]
    assert seen == [[False, False, True], [False, True, True]]
    assert rig.access.sees(STAFF, only)
    assert rig.access.sees(
        Scope("globex", unrestricted=True), chunk(0, "x", labels=Labels("globex"))
    )


def test_a_page_of_the_same_path_of_another_tenant_stays() -> None:
    rig = Rig()
    rig.stored.revoke(page(tenant="globex"))
    assert rig.library.sees(STAFF, INVITE[0])


def test_nobody_else_sees_a_chunk_whatever_is_revoked() -> None:
    rig = Rig()
    assert not rig.library.sees(Scope("globex", unrestricted=True), INVITE[0])
    assert not rig.library.sees(Scope("acme"), INVITE[2])


def test_when_the_rows_cannot_be_read_nothing_is_shown_after_a_while() -> None:
    rig = Rig()
    before = rig.shown()
    rig.stored.away = True
    rig.now_s = STALE_S
    assert rig.shown() == before
    rig.now_s = STALE_S + 0.1
    with pytest.raises(IndexUnavailableError):
        rig.shown()
    with capture_logs() as logs:
        assert not rig.library.sees(STAFF, INVITE[0])
    assert [log["event"] for log in logs] == ["index.revocations_unknown"]
    rig.stored.away = False
    assert rig.shown() == before


def test_who_begins_without_the_database_shows_nothing() -> None:
    rig = Rig()
    rig.stored.away = True
    with pytest.raises(IndexUnavailableError):
        rig.shown()


def test_a_database_that_does_not_answer_says_where_to_look() -> None:
    engine = open_engine("postgresql+psycopg://nobody@127.0.0.1:9/none")
    stored = SqlRevocations(lambda: engine)
    for call in (lambda: stored.all("acme"), lambda: stored.revoke(page())):
        with pytest.raises(IndexUnavailableError, match=r"database\.url"):
            call()
    engine.dispose()
