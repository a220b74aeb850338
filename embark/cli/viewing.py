"""Through whose eyes the command line looks, and how passages are shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import typer

from embark.settings import Settings
from retrieval.library import Library
from retrieval.types import LABEL_FIELDS, Passage, Scope

STAFF = "staff"


def scope_of(
    settings: Settings,
    holds: Sequence[str] | None,
    narrow: Mapping[str, frozenset[str]] | None = None,
) -> Scope:
    """What `--as` names, else the configured viewer, else everything of the tenant.

    The command runs on the machine of the people who own the docs, so it sees as staff do unless
    told otherwise; `--as staff` says so where a viewer is configured.
    """
    if holds == [STAFF]:
        viewer = None
    elif holds:
        viewer = pairs(holds, "--as", LABEL_FIELDS)
    else:
        viewer = _configured(settings)
    return Scope(
        tenant=settings.tenant,
        holds=viewer or {},
        unrestricted=viewer is None,
        narrow=narrow or {},
    )


def narrowed(scope: Scope, further: Mapping[str, frozenset[str]]) -> Scope:
    """`scope` cut by further fields; a field that both name must satisfy both."""
    both = {name: scope.narrow.get(name, values) & values for name, values in further.items()}
    return replace(scope, narrow={**scope.narrow, **both})


def _configured(settings: Settings) -> Mapping[str, frozenset[str]] | None:
    if settings.viewer is None:
        return None
    return {name: frozenset(values) for name, values in settings.viewer.items()}


def pairs(given: Iterable[str], option: str, fields: Sequence[str]) -> Mapping[str, frozenset[str]]:
    """`FIELD=VALUE` options by field; a repeated field collects its values."""
    found: dict[str, frozenset[str]] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or name not in fields:
            message = f"{text!r}: write FIELD=VALUE; fields: {', '.join(fields)}"
            raise typer.BadParameter(message, param_hint=option)
        found[name] = found.get(name, frozenset()) | {value}
    return found


def place(path: str, anchor: str | None) -> str:
    """`guides/invite.md#roles`."""
    return f"{PurePosixPath(path)}#{anchor}" if anchor else path


def passage_line(passage: Passage) -> dict[str, object]:
    """One entry of `retrieved`."""
    chunk = passage.chunk
    return {"chunk_id": chunk.id, "path": chunk.path, "score": round(passage.score, 6)}


def require_index(library: Library) -> None:
    """Raises NoIndexError or IndexUnavailableError now, not at the first question."""
    with library.lease():
        pass
