"""scope -> clauses -> [the store's own filter] -> hits -> gateway: the one filter of every read.

A clause says: the chunk carries one of these values in this field. All clauses must hold. Every
store translates the same clauses, and the gateway checks each answer against them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from retrieval.index import MissingTenantError, UnknownFieldError
from retrieval.tags import CHUNK, TENANT
from retrieval.types import FOR_ALL, LABEL_FIELDS, PROPERTY_FIELDS, Chunk, Scope

NARROWABLE = (*LABEL_FIELDS, *PROPERTY_FIELDS)


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


def visible(chunks: Iterable[Chunk], scope: Scope) -> Iterator[Chunk]:
    """The chunks that may be seen through `scope`, by what their own text store says of them.

    Raises MissingTenantError, UnknownFieldError.
    """
    required = clauses(scope)
    return (chunk for chunk in chunks if all(c.admits(fields_of(chunk)) for c in required))


def fields_of(chunk: Chunk) -> dict[str, object]:
    """What clauses look at, as the vector store would give it."""
    labels = chunk.labels
    return {name: getattr(labels, name) for name in LABEL_FIELDS} | {
        CHUNK: str(chunk.id),
        TENANT: labels.tenant,
        "owner": labels.owner,
        "source": chunk.source,
        "path": chunk.path,
        "doc_id": chunk.doc_id,
    }
