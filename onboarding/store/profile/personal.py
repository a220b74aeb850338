"""Profiles as one of the places that keep something of a person, and as something that ages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

import orjson

from onboarding.profile.graph import GraphStore
from onboarding.profile.keeping import BLOCK, ProfileStore
from onboarding.store.profile.graph_sql import edge_row
from onboarding.store.profile.rows import asked_row, fact_row, model_row


class PersonalProfile:
    """Facts, wishes, questions, the self-model, and edges of the graph."""

    name = "profile"

    def __init__(self, store: ProfileStore, graph: GraphStore) -> None:
        self._store = store
        self._graph = graph

    async def export(self, tenant: str, subject: str) -> AsyncIterator[str]:
        for fact in await self._store.facts(tenant, subject):
            yield _line("fact", fact_row(tenant, fact))
        for asked in await self._store.asked(tenant, subject):
            yield _line("question", asked_row(tenant, subject, asked))
        stored = await self._store.model(tenant, subject)
        if stored is not None:
            yield _line("self_model", model_row(tenant, subject, stored))
        for edge in await self._graph.of(tenant, subject):
            yield _line("edge", edge_row(tenant, edge))

    async def erase(self, tenant: str, subject: str) -> int:
        edges = await self._graph.erase(tenant, subject)
        return edges + await self._store.erase(tenant, subject)

    async def residue(self, tenant: str, subject: str) -> int:
        edges = await self._graph.count(tenant, subject)
        return edges + await self._store.count(tenant, subject)


class AgingProfile:
    """An `Aging` of retention: inferred facts, questions and self-models."""

    name = "profile"

    def __init__(self, store: ProfileStore) -> None:
        self._store = store

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = BLOCK
    ) -> int:
        return await self._store.sweep(tenant, before, keep, limit)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        return await self._store.due(tenant, before, keep)


class AgingGraph:
    """An `Aging` of retention: edges of the profile graph."""

    name = "profile_graph"

    def __init__(self, graph: GraphStore) -> None:
        self._graph = graph

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = BLOCK
    ) -> int:
        return await self._graph.sweep(tenant, before, keep, limit)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        return await self._graph.due(tenant, before, keep)


_JSON = ("evidence", "odds", "reasons", "model")


def _line(kind: str, row: dict[str, object]) -> str:
    """Without the tenant; what is JSON in a row is itself here."""
    plain: dict[str, object] = {"kind": kind}
    for name, value in row.items():
        if name not in ("tenant", "key"):
            parse = name in _JSON and kind != "edge" and isinstance(value, str)
            plain[name] = orjson.loads(value) if parse and isinstance(value, str) else value
    return orjson.dumps(plain).decode()
