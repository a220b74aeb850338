"""What verification finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Failed(StrEnum):
    """The classes of failure; docs/receipts.md says what an auditor may conclude from each."""

    BAD_SIGNATURE = "bad_signature"
    UNKNOWN_KEY = "unknown_key"
    BROKEN_CHAIN = "broken_chain"
    GAP = "gap"
    FORK = "fork"
    CUT_TAIL = "cut_tail"
    NOT_CANONICAL = "not_canonical"
    JOURNAL_MISMATCH = "journal_mismatch"


class Depth(StrEnum):
    """MERKLE trusts a signed checkpoint for the receipts that its root covers."""

    MERKLE = "merkle"
    EVERY_SIGNATURE = "every_signature"


class InputError(Exception):
    """The files cannot be read as what they should be: nothing was verified."""


class Flaw(Exception):  # found in what is examined; no error of ours
    """One thing wrong with one receipt or checkpoint by itself."""

    def __init__(self, failed: Failed, detail: str) -> None:
        super().__init__(detail)
        self.failed = failed


@dataclass(frozen=True, slots=True)
class Failure:
    """`line` counts from 1; 0 when it concerns no line of the file."""

    failed: Failed
    detail: str
    line: int = 0
    tenant: str = ""
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """`signatures` counts receipts whose own was checked; `heads` is the last seq by tenant."""

    failures: tuple[Failure, ...]
    receipts: int
    checkpoints: int
    signatures: int
    depth: Depth
    heads: Mapping[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.failures
