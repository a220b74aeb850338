"""Words that stand nowhere else, and whether any of them is left in what is stored."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Engine, create_engine, inspect, text

_ZEROS = re.compile(rb"\0{64,}")
SHORTEST = 8
"""Bytes of a form; shorter ones stand in random bytes too."""


def forms(canary: str) -> Mapping[str, bytes]:
    """How a value may be written down: as it is, base64 at each alignment, hex, JSON, UTF-16."""
    plain = canary.encode()
    found = {
        "plain": plain,
        "json": json.dumps(canary)[1:-1].encode(),
        "percent": quote(canary, safe="").encode(),
        "hex": plain.hex().encode(),
        "HEX": plain.hex().upper().encode(),
        "utf-16-le": canary.encode("utf-16-le"),
        "utf-16-be": canary.encode("utf-16-be"),
    }
    for shift in range(3):
        for name, encoded in (
            ("base64", base64.b64encode(b"\0" * shift + plain)),
            ("base64url", base64.urlsafe_b64encode(b"\0" * shift + plain)),
        ):
            sure = encoded[(shift and 4) : len(encoded) // 4 * 4 - 4]
            found[f"{name}+{shift}"] = sure
    return {name: form for name, form in found.items() if len(form) >= SHORTEST}


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of everything below, hidden files too; long runs of zeros cut short: an index
    makes room for itself."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), _ZEROS.sub(b"\0" * 8, path.read_bytes())


def rows(url: str) -> Iterator[tuple[str, bytes]]:
    """Name and content of every table, as text and binary columns have it."""
    engine = create_engine(url)
    try:
        for table in inspect(engine).get_table_names():
            yield table, _dumped(engine, table)
    finally:
        engine.dispose()


def _dumped(engine: Engine, table: str) -> bytes:
    with engine.connect() as connection:
        found = connection.execute(text(f'SELECT * FROM "{table}"')).all()
    values = (value for row in found for value in row if value is not None)
    return b"\n".join(
        bytes(value) if isinstance(value, bytes | memoryview) else _text(value).encode()
        for value in values
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def hits(
    canaries: Mapping[str, tuple[str, ...]], places: Iterator[tuple[str, bytes]]
) -> list[tuple[str, str, str, str]]:
    """Owner, canary, form and place of each that is found."""
    patterns = [
        (owner, canary, form, data)
        for owner, words in canaries.items()
        for canary in words
        for form, data in forms(canary).items()
    ]
    return [
        (owner, canary, form, place)
        for place, content in places
        for owner, canary, form, data in patterns
        if data in content
    ]
