"""What a version says about itself: `manifest.json` in its folder, a row of JSON with a server."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Self

import orjson

from retrieval.index import IndexUnavailableError

FORMAT = 1
"""Of the manifest itself; a reader refuses any other."""

_NAME = re.compile(r"docs__[0-9a-f]{12}_\d{8}T\d{9}Z")


@dataclass(frozen=True, slots=True)
class PageRecord:
    """One page of a version. `digest` is of its bytes, `rules` of what labelled and cut it."""

    source: str
    path: str  # below the source's root
    doc_id: str
    tenant: str
    digest: str
    rules: str
    chunks: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """Counts, hashes, pages, gate results and timings of one version."""

    version: str
    fingerprint: str
    encoder: str
    dimension: int
    created: str  # ISO 8601, UTC
    previous: str | None  # current when this one was built: what `rollback` returns to
    pages: tuple[PageRecord, ...] = ()
    chunks: int = 0
    store_sha256: str | None = None  # of chunks.sqlite; None with a server
    folders: Mapping[str, str] = field(default_factory=dict)  # ad-hoc source -> its folder
    gate: Mapping[str, object] = field(default_factory=dict)
    timings_s: Mapping[str, float] = field(default_factory=dict)
    encoded: int = 0  # chunks that this build embedded; the rest was reused

    def to_json(self) -> bytes:
        return orjson.dumps({"format": FORMAT, **_fields(self)}, option=orjson.OPT_INDENT_2)

    @classmethod
    def from_json(cls, data: bytes | str, where: str) -> Self:
        """Raises IndexUnavailableError, naming `where`, for what `to_json` did not make."""
        try:
            held = orjson.loads(data)
            if held.pop("format") != FORMAT:
                raise IndexUnavailableError(
                    f"{where} was written by another release of Embark; "
                    "build the index again with `embark index run --full`"
                )
            pages = tuple(PageRecord(**page) for page in held.pop("pages"))
            return cls(pages=pages, **held)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise IndexUnavailableError(
                f"{where} is damaged ({error}); return to the version before it with "
                "`embark index rollback`, or build again with `embark index run --full`"
            ) from error


def _fields(manifest: Manifest) -> dict[str, object]:
    return {name: getattr(manifest, name) for name in manifest.__dataclass_fields__}


def version_name(fingerprint: str, now: datetime) -> str:
    """`docs__<fingerprint>_<utc>`, milliseconds included; names of one fingerprint sort by time."""
    return f"docs__{fingerprint}_{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z"


def version_time(name: str) -> datetime:
    """When a version was named, UTC. Raises ValueError for anything but a version's name."""
    stamp = name.rpartition("_")[2].removesuffix("Z")
    return datetime.strptime(f"{stamp}000+0000", "%Y%m%dT%H%M%S%f%z")


def is_version_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def fingerprint_of(parts: Mapping[str, str]) -> str:
    """12 hexadecimal digits over everything that makes vectors and chunks comparable."""
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
