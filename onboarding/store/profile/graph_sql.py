"""The graph in SQL: one recursive statement a path, with tenant and purpose in every hop."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    Select,
    TextClause,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    text,
    update,
)

from guardrails.consent import Purpose
from guardrails.refs import code, owner, ref, stamp
from guardrails.store import Transactions
from onboarding.profile.graph import LASTING, Edge, End, Kind, Route, key_of, node
from onboarding.store.profile.sql import added
from onboarding.store.profile.tables import profile_edge, profile_node

BLOCK = 500
_EDGE = profile_edge.c
_HOLDS = """{edge}.tenant = :tenant AND {edge}.purpose IN :purposes
      AND coalesce({edge}.valid_from, '') <= :now
      AND ({edge}.valid_to IS NULL OR {edge}.valid_to > :now)"""
"""`coalesce` keeps SQLite from the index by age, which it guesses to be narrower than the key."""


_GIVEN = ("tenant", "src", "rel", "dst", "key", "evidence", "valid_from")
_SAME = and_(
    *(_EDGE[name] == bindparam(f"new_{name}") for name in ("tenant", "src", "rel", "dst", "key"))
)
_NEW_FROM: BindParameter[str] = bindparam("new_valid_from")
_NEW_EVENT: BindParameter[str] = bindparam("new_evidence")
_EARLIER = (
    update(profile_edge)
    .where(
        _SAME,
        or_(
            _EDGE.valid_from > _NEW_FROM,
            and_(_EDGE.valid_from == _NEW_FROM, _EDGE.evidence > _NEW_EVENT),
        ),
    )
    .values(valid_from=_NEW_FROM, evidence=_NEW_EVENT)
)
_OPEN_AGAIN = update(profile_edge).where(_SAME, _EDGE.valid_to <= _NEW_FROM).values(valid_to=None)


class SqlGraph:
    """Over an engine whose tables `onboarding.store.profile.sql.upgrade` has made."""

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)

    async def add(self, tenant: str, edges: Sequence[Edge]) -> int:
        rows = [edge_row(tenant, edge) for edge in edges]
        lasting = [
            {f"new_{name}": row[name] for name in _GIVEN} for row in rows if row["rel"] in LASTING
        ]
        ids = dict.fromkeys(id for edge in edges for id in (edge.src, edge.dst))
        nodes = [{"tenant": tenant, "id": id, "kind": id.partition(":")[0]} for id in ids]

        def work(connection: Connection) -> int:
            added(connection, profile_node, nodes)
            new = added(connection, profile_edge, rows)
            if lasting and new < len(rows):
                connection.execute(_EARLIER, lasting)
                connection.execute(_OPEN_AGAIN, lasting)
            return new

        return await self._transactions.write(tenant, work)

    async def walk(self, tenant: str, path: Route) -> tuple[End, ...]:
        statement = statement_of(path)
        values = _values(tenant, path)
        known = {name: values[name] for name in statement.compile().params}
        rows = await self._transactions.read(tenant, lambda c: c.execute(statement, known).all())
        return tuple(End(r[0], r[1], tuple(dict.fromkeys(r[2:4]))) for r in rows)

    async def end(self, tenant: str, subject: str, rel: str, dst: str, at: datetime) -> int:
        own = (_EDGE.tenant == tenant) & (_EDGE.subject == subject) & _EDGE.valid_to.is_(None)
        there = (_EDGE.rel == rel) & (_EDGE.dst == dst)
        ended = update(profile_edge).where(own, there).values(valid_to=stamp(at))
        return await self._transactions.write(tenant, lambda c: c.execute(ended).rowcount)

    async def shown_by(self, tenant: str, event: str) -> tuple[Edge, ...]:
        return await self._edges(tenant, (_EDGE.tenant == tenant) & (_EDGE.evidence == event))

    async def of(self, tenant: str, subject: str) -> tuple[Edge, ...]:
        return await self._edges(tenant, (_EDGE.tenant == tenant) & (_EDGE.subject == subject))

    async def withdraw(self, tenant: str, subject: str, purpose: Purpose) -> int:
        own = (_EDGE.tenant == tenant) & (_EDGE.subject == subject)
        gone = delete(profile_edge).where(own, _EDGE.purpose == purpose.value)
        return await self._transactions.write(tenant, lambda c: c.execute(gone).rowcount)

    async def erase(self, tenant: str, subject: str) -> int:
        me = node(Kind.USER, subject)
        edges = delete(profile_edge).where(_about(tenant, subject))
        nodes = delete(profile_node).where(profile_node.c.tenant == tenant, profile_node.c.id == me)
        return await self._transactions.write(
            tenant, lambda c: c.execute(edges).rowcount + c.execute(nodes).rowcount
        )

    async def count(self, tenant: str, subject: str) -> int:
        mine = (profile_node.c.tenant == tenant) & (profile_node.c.id == node(Kind.USER, subject))
        edges = select(func.count()).select_from(profile_edge).where(_about(tenant, subject))
        nodes = select(func.count()).select_from(profile_node).where(mine)
        return await self._transactions.read(
            tenant, lambda c: (c.scalar(edges) or 0) + (c.scalar(nodes) or 0)
        )

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = BLOCK
    ) -> int:
        keys = (_EDGE.src, _EDGE.rel, _EDGE.dst, _EDGE.key)
        due = select(*keys).where(_old(tenant, before, keep)).order_by(*keys).limit(limit)

        def work(connection: Connection) -> int:
            gone = 0
            for row in connection.execute(due).all():
                this = [column == value for column, value in zip(keys, row, strict=True)]
                old = delete(profile_edge).where(_EDGE.tenant == tenant, *this)
                gone += connection.execute(old).rowcount
            return gone

        return await self._transactions.write(tenant, work)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        counted = select(func.count()).select_from(profile_edge).where(_old(tenant, before, keep))
        return await self._transactions.read(tenant, lambda c: c.scalar(counted) or 0)

    async def _edges(self, tenant: str, which: ColumnElement[bool]) -> tuple[Edge, ...]:
        wanted: Select[Any] = (
            select(profile_edge)
            .where(which)
            .order_by(_EDGE.src, _EDGE.rel, _EDGE.dst, _EDGE.evidence)
        )
        rows = await self._transactions.read(tenant, lambda c: c.execute(wanted).mappings().all())
        return tuple(edge_of(row) for row in rows)


def statement_of(path: Route) -> TextClause:
    """Names of columns alone are put in; values are bound."""
    one = len(path.rels) == 1 and path.to is None
    made = text(_NEAREST if one else _far(path))
    return made.bindparams(bindparam("purposes", expanding=True))


_COUNTED = """count(DISTINCT coalesce(subject, evidence)) AS people, min(evidence), max(evidence)"""
_NEAREST = f"""
    SELECT node, {_COUNTED} FROM (
      SELECT e.dst AS node, e.subject, e.evidence FROM profile_edge e
      WHERE e.tenant = :tenant AND e.src = :start AND e.rel = :last
      AND e.purpose IN :purposes AND e.valid_from <= :now
      AND (e.valid_to IS NULL OR e.valid_to > :now)
      ORDER BY e.valid_from DESC LIMIT :widest
    ) AS newest GROUP BY node ORDER BY people DESC, node LIMIT :most
    """


def _far(path: Route) -> str:
    """The hops but the last find nodes, each once; the last one counts whose edges lead on.

    CROSS JOIN keeps SQLite from beginning with the edges: to PostgreSQL it is any other join.
    """
    hops = ", ".join(f"({at}, :rel{at})" for at in range(1, len(path.rels) + 1))
    node_, to = ("dst", "") if path.to is None else ("src", "AND e.dst = :to")
    return f"""
    WITH RECURSIVE hop(pos, rel) AS (VALUES {hops}),
    walk(node, pos) AS (
      SELECT CAST(:start AS TEXT), 0
      UNION
      SELECT e.dst, w.pos + 1 FROM walk w CROSS JOIN hop h CROSS JOIN profile_edge e
      WHERE w.pos < :before AND h.pos = w.pos + 1 AND e.src = w.node AND e.rel = h.rel
      AND {_HOLDS.format(edge="e")}
    )
    SELECT e.{node_} AS node, {_COUNTED}
    FROM walk w CROSS JOIN profile_edge e
    WHERE w.pos = :before AND e.src = w.node AND e.rel = :last {to}
      AND {_HOLDS.format(edge="e")}
    GROUP BY e.{node_} ORDER BY people DESC, node LIMIT :most
    """


def _values(tenant: str, path: Route) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "start": path.start,
        "now": stamp(path.now),
        "purposes": [purpose.value for purpose in path.purposes],
        "last": path.rels[-1],
        "before": len(path.rels) - 1,
        "most": path.limit,
        "widest": path.widest,
        "to": path.to,
        **{f"rel{at}": rel for at, rel in enumerate(path.rels, 1)},
    }


def edge_row(tenant: str, edge: Edge) -> dict[str, Any]:
    """Raises ValueError."""
    if edge.tenant != tenant:
        raise ValueError("an edge of another tenant")
    for end in (edge.src, edge.dst):
        Kind(end.partition(":")[0])
    return {
        "tenant": owner(tenant),
        "src": ref("src", edge.src),
        "rel": code("rel", edge.rel),
        "dst": ref("dst", edge.dst),
        "key": key_of(edge),
        "evidence": ref("evidence", edge.evidence),
        "subject": None if edge.subject is None else ref("subject", edge.subject),
        "purpose": edge.purpose.value,
        "confidence": edge.confidence,
        "valid_from": stamp(edge.valid_from),
        "valid_to": None if edge.valid_to is None else stamp(edge.valid_to),
    }


def edge_of(row: RowMapping) -> Edge:
    until = row["valid_to"]
    return Edge(
        tenant=row["tenant"],
        src=row["src"],
        rel=row["rel"],
        dst=row["dst"],
        evidence=row["evidence"],
        valid_from=datetime.fromisoformat(row["valid_from"]),
        subject=row["subject"],
        purpose=Purpose(row["purpose"]),
        confidence=row["confidence"],
        valid_to=None if until is None else datetime.fromisoformat(until),
    )


def _about(tenant: str, subject: str) -> ColumnElement[bool]:
    me = node(Kind.USER, subject)
    theirs = or_(_EDGE.subject == subject, _EDGE.src == me, _EDGE.dst == me)
    return (_EDGE.tenant == tenant) & theirs


def _old(tenant: str, before: datetime, keep: frozenset[str]) -> ColumnElement[bool]:
    held = or_(_EDGE.subject.is_(None), _EDGE.subject.not_in(list(keep)))
    return (_EDGE.tenant == tenant) & (_EDGE.valid_from < stamp(before)) & held
