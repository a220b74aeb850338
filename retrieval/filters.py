"""scope -> clauses -> [the store's own filter] -> hits -> post-check: the one filter of every read.

A clause says: the chunk carries one of these values in this field. All clauses must hold. Every
store translates the same clauses, and `verified` checks each answer against them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from retrieval.index import MissingTenantError, UnknownFieldError
from retrieval.types import FOR_ALL, LABEL_FIELDS, PROPERTY_FIELDS, ChunkId, Hit, Scope

TENANT = "tenant"
CHUNK = "chunk"
"""Payload field that holds the chunk id."""

NARROWABLE = (*LABEL_FIELDS, *PROPERTY_FIELDS)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Clause:
    """`field` of the chunk's payload holds one of `values`; no values admit nothing."""

    field: str
    values: frozenset[str]

    def admits(self, payload: Mapping[str, object]) -> bool:
        """A payload without the field, or with a value that is no string, is not admitted."""
        held = payload.get(self.field)
        if isinstance(held, str):
            return held in self.values
        return isinstance(held, (list, tuple)) and not self.values.isdisjoint(held)


class Answer(NamedTuple):
    """One hit as the store gave it: the payload, and the store's score."""

    payload: Mapping[str, object]
    score: float


def tenant_clause(tenant: str) -> Clause:
    """Raises MissingTenantError for an empty or blank tenant."""
    if not tenant.strip():
        raise MissingTenantError("a read or write of the index names no tenant; nothing was done")
    return Clause(TENANT, frozenset({tenant}))


def clauses(scope: Scope) -> tuple[Clause, ...]:
    """Everything that a chunk must satisfy to be seen through `scope`, the tenant first.

    Raises MissingTenantError, UnknownFieldError (a `narrow` field that chunks do not carry).
    """
    found = [tenant_clause(scope.tenant)]
    if not scope.unrestricted:
        found += [
            Clause(field, scope.holds.get(field, frozenset()) | {FOR_ALL}) for field in LABEL_FIELDS
        ]
    return (*found, *_narrowed(scope.narrow))


def _narrowed(narrow: Mapping[str, frozenset[str]]) -> Iterable[Clause]:
    for field, values in narrow.items():
        if field not in NARROWABLE:
            raise UnknownFieldError(field, NARROWABLE)
        yield Clause(field, values | {FOR_ALL} if field in LABEL_FIELDS else frozenset(values))


def satisfiable(required: Sequence[Clause]) -> bool:
    """False when some clause names no value at all: then nothing matches, and no store is asked."""
    return all(clause.values for clause in required)


def verified(answers: Iterable[Answer], required: Sequence[Clause]) -> tuple[Hit, ...]:
    """The hits whose payload satisfies every clause, in the order given.

    A store that answers with anything else has a fault in its filter: that hit is dropped, and
    the fault is logged as an error, with ids and field names only.
    """
    hits: list[Hit] = []
    for payload, score in answers:
        chunk = payload.get(CHUNK)
        failed = [clause.field for clause in required if not clause.admits(payload)]
        if isinstance(chunk, str) and not failed:
            hits.append(Hit(ChunkId(chunk), score))
        else:
            _log.error("index.hit_outside_scope", chunk=chunk, fields=failed or [CHUNK])
    return tuple(hits)
