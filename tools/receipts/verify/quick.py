"""One pass that can only say that everything holds; whatever does not is left to the diagnosis.

Receipts below a signed checkpoint are not checked one by one: the root covers their every byte.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from . import lines as line_form
from . import notes
from .journal import Journal
from .merkle import Frontier, leaf_hash
from .notes import Checkpoint
from .reading import Reader, Sealed, link
from .result import Depth, Report

WAITING = 4096
"""So many receipts wait for a checkpoint before their signatures are checked after all."""


class Doubt(Exception):  # no error: the other way through
    """Something does not hold."""


@dataclass(slots=True)
class _Chain:
    seq: int = 0
    link: str = ""
    tree: Frontier = field(default_factory=Frontier)
    waiting: list[Sealed] = field(default_factory=list)
    expected: dict[int, bytes] = field(default_factory=dict)


class Quick:
    """Verifies one file. Raises Doubt or Flaw from `report`."""

    def __init__(
        self, reader: Reader, keys: dict[str, bytes], journal: Journal | None = None
    ) -> None:
        self._reader = reader
        self._keys = keys
        self._journal = journal
        self._chains: defaultdict[str, _Chain] = defaultdict(_Chain)
        self._receipts = self._checkpoints = self._signatures = 0

    def expect(self, checkpoint: Checkpoint) -> None:
        """A checkpoint kept elsewhere."""
        chain = self._chains[checkpoint.tenant]
        if chain.expected.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root:
            raise Doubt

    def report(self, lines: Iterable[bytes]) -> Report:
        for line in lines:
            jws = line_form.receipt(line)
            if jws is not None:
                self._receipt(jws)
            else:
                self._checkpoint(notes.read(line_form.checkpoint(line), self._keys))
        for chain in self._chains.values():
            self._settle(chain)
            if chain.expected:
                raise Doubt
        if self._journal is not None and len(self._journal.rows) != self._receipts:
            raise Doubt
        heads = {tenant: chain.seq for tenant, chain in self._chains.items()}
        counts = (self._receipts, self._checkpoints, self._signatures)
        return Report((), *counts, Depth.MERKLE, heads)

    def _receipt(self, jws: bytes) -> None:
        sealed = self._reader.read(jws)
        payload = sealed.payload
        chain = self._chains[payload["tenant"]]
        seq = payload["seq"]
        if seq != chain.seq + 1 or payload["prev"] != chain.link:
            raise Doubt
        chain.seq = seq
        chain.link = link(jws)
        chain.tree.append(leaf_hash(jws))
        chain.waiting.append(sealed)
        self._receipts += 1
        if self._journal is not None and self._journal.objection(payload):
            raise Doubt
        if chain.expected and seq in chain.expected:
            self._reached(chain, chain.expected.pop(seq))
        if len(chain.waiting) > WAITING:
            self._settle(chain)

    def _checkpoint(self, checkpoint: Checkpoint) -> None:
        chain = self._chains[checkpoint.tenant]
        if checkpoint.size != chain.seq:
            raise Doubt
        self._reached(chain, checkpoint.root)
        self._checkpoints += 1

    def _reached(self, chain: _Chain, root: bytes) -> None:
        if chain.tree.root() != root:
            raise Doubt
        chain.waiting.clear()

    def _settle(self, chain: _Chain) -> None:
        for sealed in chain.waiting:
            sealed.check()
        self._signatures += len(chain.waiting)
        chain.waiting.clear()
