"""Words that stand nowhere else, and whether any of them is left in what is stored."""

from __future__ import annotations

import base64
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
from sqlalchemy import Engine, create_engine, inspect, text

_ZEROS = re.compile(rb"\0{64,}")
WINDOW = 8
SHORTEST = WINDOW
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
    canaries: Mapping[str, tuple[str, ...]], places: Iterable[tuple[str, bytes]]
) -> list[tuple[str, str, str, str]]:
    """Owner, canary, form and place of each that is found."""
    named: dict[bytes, list[tuple[str, str, str]]] = defaultdict(list)
    for owner, words in canaries.items():
        for canary in words:
            for form, data in forms(canary).items():
                named[data].append((owner, canary, form))
    needles = Needles(named)
    return [
        (*each, place)
        for place, content in places
        for data in needles.within(content)
        for each in named[data]
    ]


class Needles:
    """Finds which of many strings of bytes stand in another, in one pass instead of one for each:
    windows of eight bytes are looked up in a table of hashes, and what fits is compared in full."""

    _SPREAD = np.uint64(0x9E3779B97F4A7C15)
    _SHIFT = np.uint64(64 - 20)

    def __init__(self, needles: Iterable[bytes]) -> None:
        """Raises ValueError for one that is shorter than a window."""
        self._by_start: dict[int, list[bytes]] = defaultdict(list)
        for needle in needles:
            if len(needle) < WINDOW:
                raise ValueError("a needle is shorter than a window")
            self._by_start[int.from_bytes(needle[:WINDOW], "little")].append(needle)
        starts = np.array(list(self._by_start), dtype="<u8")
        self._table = np.zeros(1 << 20, dtype=bool)
        self._table[self._hashed(starts)] = True

    def within(self, content: bytes) -> set[bytes]:
        found: set[bytes] = set()
        for shift in range(min(WINDOW, len(content) - WINDOW + 1)):
            count = (len(content) - shift) // WINDOW
            windows = np.frombuffer(content, "<u8", count, shift)
            for place in np.flatnonzero(self._table[self._hashed(windows)]).tolist():
                at = place * WINDOW + shift
                for needle in self._by_start.get(int(windows[place]), ()):
                    if content.startswith(needle, at):
                        found.add(needle)
        return found

    def _hashed(self, windows: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        return (windows * self._SPREAD) >> self._SHIFT
