"""What may still be shown: asked again for each unit that cites, and for what is named last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from retrieval.types import Chunk, Evidence, Scope

Sees = Callable[[Scope, Chunk], bool]
"""Whether this viewer may see the chunk now. May look into a database; never raises."""


def always(_scope: Scope, _chunk: Chunk) -> bool:
    """Where nothing is ever taken away."""
    return True


def still_seen(evidence: Evidence | None, scope: Scope, sees: Sees) -> Evidence | None:
    """The same without what was taken away since it was found."""
    if evidence is None:
        return None
    return replace(
        evidence,
        passages=tuple(p for p in evidence.passages if sees(scope, p.chunk)),
        retrieved=tuple(p for p in evidence.retrieved if sees(scope, p.chunk)),
    )
