"""What patterns remember of one person: little, bounded, and plain enough to be stored."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

MOST_KEYS: Final = 16
"""Of elements, forms or codes that one pattern follows at a time; the oldest is let go."""
MOST_MARKS: Final = 32


@dataclass(slots=True)
class Mark:
    """Something seen. `at` in seconds since 1970; `vector` of a question."""

    at: float
    id: str
    about: str = ""
    x: float = 0.0
    y: float = 0.0
    vector: tuple[float, ...] = ()


@dataclass(slots=True)
class Track:
    """Of one key. `due` is when its timer ends; `since` and `until` are the pattern's own."""

    marks: list[Mark] = field(default_factory=list)
    due: float | None = None
    since: float | None = None
    until: float | None = None

    def add(self, mark: Mark, most: int = MOST_MARKS) -> bool:
        """In order of time, whenever it came. False for what was seen before."""
        if any(each.id == mark.id for each in self.marks):
            return False
        insort(self.marks, mark, key=lambda each: each.at)
        del self.marks[: max(0, len(self.marks) - most)]
        return True


@dataclass(slots=True)
class Tracks:
    """Of one pattern and person, the last used last."""

    by_key: dict[str, Track] = field(default_factory=dict)

    def of(self, key: str) -> Track:
        track = self.by_key.pop(key, None) or Track()
        self.by_key[key] = track
        while len(self.by_key) > MOST_KEYS:
            del self.by_key[next(iter(self.by_key))]
        return track

    def over(self, now: float) -> Iterator[tuple[str, Track]]:
        """Whose timer has ended; it does not end again."""
        for key, track in list(self.by_key.items()):
            if track.due is not None and track.due <= now:
                yield key, track

    @property
    def next_due(self) -> float | None:
        return min((t.due for t in self.by_key.values() if t.due is not None), default=None)
