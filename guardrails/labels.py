"""Where a value comes from and how far it may be trusted; labels only ever fall."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class Integrity(IntEnum):
    """Trust in the origin of a value. Joining two values takes the smaller."""

    UNTRUSTED = 0  # tool results, uploads, names and notes that anybody may have written
    TENANT_DOC = 1  # the tenant's published documentation
    USER_TYPED = 2  # the user's own words or choice in this conversation
    OPERATOR = 3  # our configuration, and members of a tool's own enumeration


@dataclass(frozen=True, slots=True)
class Labelled(Generic[T]):
    """A value with its label. `source` says for people where it was found."""

    value: T
    integrity: Integrity
    source: str

    def joined(self, other: Labelled[object]) -> Integrity:
        """The label of anything made from both."""
        return min(self.integrity, other.integrity)
