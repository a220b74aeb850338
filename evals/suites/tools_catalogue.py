"""A catalogue as a file: what tools there were when a routing suite was run.

JSON of the manifests, so that a suite runs without the host product.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from evals.suites.tools import CasesError
from tools.types import Manifest

TOOLS = "tools.json"
_MANIFESTS = TypeAdapter(tuple[Manifest, ...])


def load_catalogue(path: Path) -> tuple[Manifest, ...]:
    """Raises CasesError."""
    try:
        return _MANIFESTS.validate_json(path.read_bytes())
    except OSError as error:
        raise CasesError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = "/".join(map(str, first["loc"]))
        raise CasesError(f"{path}: {place}: {first['msg']}; no catalogue of tools") from error


def dump_catalogue(tools: Sequence[Manifest]) -> bytes:
    """As `load_catalogue` reads it; what is as by default is left out."""
    return _MANIFESTS.dump_json(tuple(tools), exclude_defaults=True) + b"\n"
