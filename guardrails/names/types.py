"""Who finds names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from guardrails.types import Span

NAME_TYPES = ("LOCATION", "ORGANIZATION", "PERSON")
"""What a finder of names tells apart, in the order of the network's labels."""


class NameFinder(Protocol):
    """Finds people, places and companies; thread-safe."""

    def find(self, text: str) -> Sequence[Span]:
        """Spans of the text, in order; what could not be looked at is a span of type `REDACTED`.

        Raises NoWorkerError where nobody is there to look.
        """
        ...
