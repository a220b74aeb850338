"""The graph in memory, in SQLite and in PostgreSQL, and how it grows from events."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from typing_extensions import override

from guardrails.consent import NOTHING_SAID, Purpose, Tagged
from guardrails.tenancy import within
from onboarding.profile import GraphStore, Route, edges_of, load_graph, solved
from onboarding.store.profile.graph_memory import MemoryGraph
from onboarding.store.profile.graph_sql import SqlGraph
from onboarding.store.profile.sql import upgrade
from onboarding.store.profile.tables import TABLES
from onboarding.types import Event, EventKind
from tests.contracts.profile_graph import NOON, NOW, GraphStoreContract
from tests.guardrails.databases import guest, postgres, sqlite
from tests.onboarding.profile.making import CONSENTED


class TestMemoryGraph(GraphStoreContract):
    @override
    @pytest.fixture
    def graph(self) -> GraphStore:
        return MemoryGraph()


class TestSqliteGraph(GraphStoreContract):
    @override
    @pytest.fixture
    def graph(self, tmp_path: Path) -> Iterator[GraphStore]:
        with sqlite(tmp_path, upgrade) as engine:
            yield SqlGraph(engine)


@pytest.fixture(scope="module")
def server() -> Iterator[Engine]:
    with postgres(upgrade) as owned, guest(owned, TABLES) as engine:
        yield engine


class TestPostgresGraph(GraphStoreContract):
    @override
    @pytest.fixture
    def graph(self, server: Engine) -> Iterator[GraphStore]:
        for tenant in ("t", "t2"):
            with within(tenant), server.begin() as connection:
                for table in ("profile_edge", "profile_node"):
                    connection.execute(text(f"DELETE FROM {table}"))
        yield SqlGraph(server)


SPEC = load_graph()


def event(name: str, number: int, user: str | None = "ana", **fields: str) -> Event:
    at = NOON + timedelta(minutes=number)
    analytics = frozenset({Purpose.PRODUCT_ANALYTICS})
    return Event(
        tenant="t",
        message_id=f"m{number}",
        kind=EventKind.TRACK,
        name=name,
        version="1-0-0",
        user=user,
        anonymous=None,
        account="acme",
        occurred_at=at,
        received_at=at,
        fields={key: Tagged(value, analytics) for key, value in fields.items()},
    )


FAILED = event("connection_failed", 1, connector="shopify", error_code="E42")
CONNECTED = event("source_connected", 2, connector="shopify", action="reconnect")


def test_an_error_and_what_ended_it() -> None:
    hit = {(e.src, e.rel, e.dst) for e in edges_of(FAILED, SPEC, CONSENTED)}
    assert ("user:ana", "hit", "error:shopify/E42") in hit
    assert ("error:shopify/E42", "in", "integration:shopify") in hit
    (ended,) = solved(CONNECTED, [FAILED], SPEC)
    assert (ended.src, ended.rel, ended.dst) == (
        "error:shopify/E42",
        "solved_by",
        "action:reconnect",
    )
    assert (ended.evidence, ended.subject) == ("m2", "ana")


def test_what_came_a_day_later_solved_nothing() -> None:
    late = replace(CONNECTED, occurred_at=NOON + timedelta(days=2))
    assert solved(late, [FAILED], SPEC) == []
    assert solved(FAILED, [CONNECTED], SPEC) == []


def test_without_consent_nothing_grows() -> None:
    assert edges_of(CONNECTED, SPEC, NOTHING_SAID) == []
    assert edges_of(replace(CONNECTED, user=None), SPEC, CONSENTED) == []
    marketing = frozenset({Purpose.MARKETING})
    hidden = {"connector": Tagged("shopify", marketing)}
    edges = edges_of(replace(CONNECTED, fields=hidden), SPEC, CONSENTED)
    assert {edge.rel for edge in edges} == {"member_of", "has_member"}


async def test_the_graph_does_not_depend_on_order_or_repetition(tmp_path: Path) -> None:
    """An event comes twice, out of order, in blocks: the same edges."""
    events = [
        event("step_completed", number, f"u{number % 7}", step=f"s{number % 5}")
        for number in range(60)
    ]
    rng = random.Random(5)
    with sqlite(tmp_path, upgrade) as engine:
        once, mixed = MemoryGraph(), SqlGraph(engine)
        for each in events:
            await once.add("t", edges_of(each, SPEC, CONSENTED))
        for each in rng.sample([*events, *events[::3]], 80):
            await mixed.add("t", edges_of(each, SPEC, CONSENTED))
        for subject in (f"u{number}" for number in range(7)):
            assert await mixed.of("t", subject) == await once.of("t", subject) != ()


def test_a_path_has_three_hops_at_most() -> None:
    with pytest.raises(ValueError, match="1 to 3 hops, not 4"):
        Route("user:ana", ("member_of", "has_member", "finished", "cites"), NOW)
    with pytest.raises(ValueError, match="not 0"):
        Route("user:ana", (), NOW)
