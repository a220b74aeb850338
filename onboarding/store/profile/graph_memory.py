"""The graph in memory: the twin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from guardrails.consent import Purpose
from onboarding.profile.graph import LASTING, Edge, End, Kind, Route, key_of, node
from onboarding.store.profile.graph_sql import edge_row

Key = tuple[str, str, str, str, str]


class MemoryGraph:
    """Keeps nothing beyond the process."""

    def __init__(self) -> None:
        self._edges: dict[Key, Edge] = {}
        self._nodes: set[tuple[str, str]] = set()

    async def add(self, tenant: str, edges: Sequence[Edge]) -> int:
        for edge in edges:
            edge_row(tenant, edge)  # refuses what SQL refuses
        before = len(self._edges)
        for edge in edges:
            self._nodes |= {(tenant, edge.src), (tenant, edge.dst)}
            self._edges[_key(edge)] = _merged(self._edges.get(_key(edge)), edge)
        return len(self._edges) - before

    async def walk(self, tenant: str, path: Route) -> tuple[End, ...]:
        nodes = {path.start}
        for rel in path.rels[:-1]:
            nodes = {edge.dst for edge in self._open(tenant, nodes, rel, path)}
        found: dict[str, list[Edge]] = {}
        last = self._open(tenant, nodes, path.rels[-1], path)
        if len(path.rels) == 1 and path.to is None:
            last = sorted(last, key=lambda e: e.valid_from, reverse=True)[: path.widest]
        for edge in last:
            if path.to in (None, edge.dst):
                found.setdefault(edge.dst if path.to is None else edge.src, []).append(edge)
        ends = [_end(name, edges) for name, edges in found.items()]
        return tuple(sorted(ends, key=lambda end: (-end.people, end.node))[: path.limit])

    async def end(self, tenant: str, subject: str, rel: str, dst: str, at: datetime) -> int:
        mine = [e for e in await self.of(tenant, subject) if e.valid_to is None]
        ending = [edge for edge in mine if (edge.rel, edge.dst) == (rel, dst)]
        for edge in ending:
            self._edges[_key(edge)] = replace(edge, valid_to=at)
        return len(ending)

    async def shown_by(self, tenant: str, event: str) -> tuple[Edge, ...]:
        return self._sorted(
            e for e in self._edges.values() if (e.tenant, e.evidence) == (tenant, event)
        )

    async def of(self, tenant: str, subject: str) -> tuple[Edge, ...]:
        return self._sorted(
            e for e in self._edges.values() if (e.tenant, e.subject) == (tenant, subject)
        )

    async def withdraw(self, tenant: str, subject: str, purpose: Purpose) -> int:
        mine = await self.of(tenant, subject)
        return self._drop(edge for edge in mine if edge.purpose is purpose)

    async def erase(self, tenant: str, subject: str) -> int:
        gone = await self.count(tenant, subject)
        self._drop(self._about(tenant, subject))
        self._nodes.discard((tenant, node(Kind.USER, subject)))
        return gone

    async def count(self, tenant: str, subject: str) -> int:
        mine = (tenant, node(Kind.USER, subject)) in self._nodes
        return len(self._about(tenant, subject)) + mine

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = 500
    ) -> int:
        return self._drop(self._old(tenant, before, keep)[:limit])

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        return len(self._old(tenant, before, keep))

    def _old(self, tenant: str, before: datetime, keep: frozenset[str]) -> list[Edge]:
        every = (e for e in self._edges.values() if e.tenant == tenant and e.subject not in keep)
        return [edge for edge in every if edge.valid_from < before]

    def _open(self, tenant: str, nodes: set[str], rel: str, path: Route) -> list[Edge]:
        return [
            edge
            for edge in self._edges.values()
            if (edge.tenant, edge.rel) == (tenant, rel)
            and edge.src in nodes
            and edge.purpose in path.purposes
            and edge.valid_from <= path.now
            and (edge.valid_to is None or edge.valid_to > path.now)
        ]

    def _about(self, tenant: str, subject: str) -> list[Edge]:
        me = node(Kind.USER, subject)
        every = (e for e in self._edges.values() if e.tenant == tenant)
        return [e for e in every if e.subject == subject or me in (e.src, e.dst)]

    def _drop(self, edges: Iterable[Edge]) -> int:
        keys = [_key(edge) for edge in edges]
        for key in keys:
            del self._edges[key]
        return len(keys)

    @staticmethod
    def _sorted(edges: Iterable[Edge]) -> tuple[Edge, ...]:
        return tuple(sorted(edges, key=lambda e: (e.src, e.rel, e.dst, e.evidence)))


def _key(edge: Edge) -> Key:
    return edge.tenant, edge.src, edge.rel, edge.dst, key_of(edge)


def _merged(old: Edge | None, new: Edge) -> Edge:
    if old is None:
        return new
    if new.rel in LASTING and (new.valid_from, new.evidence) < (old.valid_from, old.evidence):
        old = replace(old, valid_from=new.valid_from, evidence=new.evidence)
    over = old.valid_to is not None and old.valid_to <= new.valid_from
    return replace(old, valid_to=None) if over and new.rel in LASTING else old


def _end(name: str, edges: Sequence[Edge]) -> End:
    people = {edge.subject or edge.evidence for edge in edges}
    shown = sorted(edge.evidence for edge in edges)
    return End(name, len(people), tuple(dict.fromkeys((shown[0], shown[-1]))))
