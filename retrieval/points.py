"""point <-> what a store keeps: a UUID, ids and labels as payload, two vectors."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import cast

import numpy as np

from retrieval.filters import tenant_clause
from retrieval.index import OutsideScopeError, Point
from retrieval.tags import CHUNK, TAG, TENANT, Payload, Tags
from retrieval.types import LABEL_FIELDS, ChunkId, Labels, SparseVector, Vector

HASH = "content_hash"
RRF_K = 60  # Cormack, Clarke and Buettcher, "Reciprocal rank fusion" (SIGIR 2009); ranks from 1
FUSION_DEPTH = 100  # hits of each retriever that enter the fusion
_NAMESPACE = uuid.UUID("6f2c1a52-6f0d-5c1b-9a3f-0d6f1f0f5a11")  # fixed: ids outlive a process


def point_id(chunk: ChunkId) -> str:
    """The store's id of a chunk: its UUID version 5, the same in every store and version."""
    return str(uuid.uuid5(_NAMESPACE, chunk))


def check_dimension(vector: Vector, dimension: int) -> None:
    """Raises ValueError when the vector does not fit the index."""
    if vector.shape != (dimension,):
        raise ValueError(
            f"a vector of shape {vector.shape} does not fit an index of dimension {dimension}: "
            "index and question must use the same encoder"
        )


def payload_of(point: Point, tags: Tags) -> dict[str, object]:
    """Ids, labels and tag of a point, never text. Raises MissingTenantError without a tenant."""
    labels = point.labels
    tenant_clause(labels.tenant)
    payload: dict[str, object] = {
        CHUNK: str(point.id),
        "doc_id": point.doc_id,
        "path": point.path,
        "source": point.source,
        HASH: point.content_hash,
        TENANT: labels.tenant,
        "owner": labels.owner,
        "updated": labels.updated,
    }
    payload |= {field: list(getattr(labels, field)) for field in LABEL_FIELDS}
    return payload | {TAG: tags.tag(payload)}


def point_of(
    payload: Payload,
    dense: Sequence[float],
    indices: Sequence[int],
    values: Sequence[float],
    tags: Tags,
) -> Point:
    """A point from what a store gives back; sparse indices are put in increasing order.

    Raises OutsideScopeError when its tag does not fit: what was changed is not carried on.
    """
    if not tags.holds(payload):
        raise OutsideScopeError(1)
    order = np.argsort(np.asarray(indices, dtype=np.uint32), kind="stable")
    return Point(
        id=ChunkId(_text(payload, CHUNK)),
        doc_id=_text(payload, "doc_id"),
        path=_text(payload, "path"),
        source=_text(payload, "source"),
        labels=Labels(
            tenant=_text(payload, TENANT),
            owner=cast("str | None", payload["owner"]),
            updated=cast("str | None", payload["updated"]),
            **{field: tuple(cast("list[str]", payload[field])) for field in LABEL_FIELDS},
        ),
        content_hash=_text(payload, HASH),
        dense=np.asarray(dense, dtype=np.float32),
        sparse=SparseVector(
            np.asarray(indices, dtype=np.uint32)[order],
            np.asarray(values, dtype=np.float32)[order],
        ),
    )


def _text(payload: Payload, field: str) -> str:
    return cast("str", payload[field])
