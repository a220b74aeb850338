"""Whether bytes still lie anywhere below a folder: what was removed is to be gone from the disk."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

_BLOCK = 1 << 24  # read at a time; an index file may be larger than memory
_SHORTEST = 12
"""Bytes: shorter ones stand in random bytes, or in other pages, by chance."""


def found_below(folder: Path, needles: Collection[bytes]) -> dict[str, int]:
    """File names, relative, with the number of needles that occur in each; those without are left
    out. Needles that are too short to say anything are not looked for."""
    wanted = [needle for needle in dict.fromkeys(needles) if len(needle) >= _SHORTEST]
    if not wanted:
        return {}
    pattern = re.compile(b"|".join(map(re.escape, sorted(wanted, key=len, reverse=True))))
    hits = {
        str(path.relative_to(folder)): len(set(_occurring(path, pattern, max(map(len, wanted)))))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return {name: count for name, count in hits.items() if count}


def _occurring(path: Path, pattern: re.Pattern[bytes], longest: int) -> Iterator[bytes]:
    """Blocks overlap, so that nothing hides between two."""
    with path.open("rb") as opened:
        tail = b""
        while block := opened.read(_BLOCK):
            seen = tail + block
            yield from pattern.findall(seen)
            tail = seen[-longest:]
