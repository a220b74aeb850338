"""Every signature checked, and everything that does not hold named.

Only a receipt that holds by itself counts in its chain. A damaged line stands for one missing
receipt, so damage is not reported a second time as a gap or a cut.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from . import lines as line_form
from . import notes
from .journal import Journal
from .merkle import Frontier, leaf_hash
from .notes import Checkpoint
from .reading import Payload, Reader, link
from .result import Depth, Failed, Failure, Flaw, Report


class _Jump(NamedTuple):
    after: int
    to: int
    line: int
    damaged: int  # lines between the two


class _Said(NamedTuple):
    checkpoint: Checkpoint
    line: int


@dataclass(slots=True)
class _Chain:
    last: int = 0
    link: str = ""
    damaged: int = 0  # lines of the file, up to `last`
    leaves: dict[int, bytes] = field(default_factory=dict)
    late: list[int] = field(default_factory=list)
    jumps: list[_Jump] = field(default_factory=list)
    said: list[_Said] = field(default_factory=list)


class Diagnosis:
    """Verifies one file completely."""

    def __init__(
        self, reader: Reader, keys: dict[str, bytes], journal: Journal | None = None
    ) -> None:
        self._reader = reader
        self._keys = keys
        self._journal = journal
        self._chains: defaultdict[str, _Chain] = defaultdict(_Chain)
        self._failures: list[Failure] = []
        self._damaged = self._receipts = self._checkpoints = self._line = 0

    def expect(self, note: str) -> None:
        """A checkpoint kept elsewhere."""
        self._line = 0
        self._checkpoint(note)

    def report(self, lines: Iterable[bytes], depth: Depth) -> Report:
        for self._line, line in enumerate(lines, start=1):
            jws = line_form.receipt(line)
            if jws is not None:
                self._receipt(jws)
            else:
                self._other(line)
        for tenant, chain in self._chains.items():
            self._failures += _gaps(tenant, chain)
            self._failures += _against_checkpoints(tenant, chain, self._damaged)
        self._failures += self._unreceipted()
        heads = {tenant: chain.last for tenant, chain in self._chains.items()}
        counts = (self._receipts, self._checkpoints, self._receipts)
        return Report(tuple(self._failures), *counts, depth, heads)

    def _receipt(self, jws: bytes) -> None:
        self._receipts += 1
        payload, flaws = self._reader.examine(jws)
        if payload is None:
            self._damage(*flaws)
        else:
            self._place(payload, jws)

    def _place(self, payload: Payload, jws: bytes) -> None:
        chain = self._chains[payload["tenant"]]
        seq, leaf = payload["seq"], leaf_hash(jws)
        known = chain.leaves.get(seq)
        if known == leaf:
            self._fail(Failed.BROKEN_CHAIN, "the receipt stands twice", payload)
        elif known is not None:
            self._fail(Failed.FORK, "another receipt with the same number, both signed", payload)
        elif seq < chain.last:
            self._fail(Failed.BROKEN_CHAIN, "the receipt stands behind later ones", payload)
            chain.late.append(seq)
        else:
            self._append(chain, payload, jws)
        chain.leaves.setdefault(seq, leaf)

    def _append(self, chain: _Chain, payload: Payload, jws: bytes) -> None:
        seq = payload["seq"]
        if seq > chain.last + 1:
            damaged = self._damaged - chain.damaged
            chain.jumps.append(_Jump(chain.last, seq, self._line, damaged))
        elif payload["prev"] != chain.link:
            self._fail(Failed.BROKEN_CHAIN, "prev is not the hash of the receipt before", payload)
        chain.last, chain.link, chain.damaged = seq, link(jws), self._damaged
        objection = self._journal and self._journal.objection(payload)
        if objection:
            self._fail(Failed.JOURNAL_MISMATCH, objection, payload)

    def _other(self, line: bytes) -> None:
        try:
            note = line_form.checkpoint(line)
        except Flaw as flaw:
            self._damage(flaw)
        else:
            self._checkpoint(note)

    def _checkpoint(self, note: str) -> None:
        self._checkpoints += self._line > 0
        try:
            checkpoint = notes.read(note, self._keys)
        except Flaw as flaw:
            self._failures.append(Failure(flaw.failed, str(flaw), self._line))
        else:
            self._chains[checkpoint.tenant].said.append(_Said(checkpoint, self._line))

    def _damage(self, *flaws: Flaw) -> None:
        self._damaged += 1
        self._failures += [Failure(flaw.failed, str(flaw), self._line) for flaw in flaws]

    def _fail(self, failed: Failed, detail: str, payload: Payload) -> None:
        place = (self._line, payload["tenant"], payload["seq"])
        self._failures.append(Failure(failed, detail, *place))

    def _unreceipted(self) -> Iterator[Failure]:
        for tenant, seq in self._journal.rows if self._journal else ():
            if seq not in self._chains[tenant].leaves:
                detail = "the journal has an outcome whose receipt is not in the file"
                yield Failure(Failed.JOURNAL_MISMATCH, detail, 0, tenant, seq)


def _gaps(tenant: str, chain: _Chain) -> Iterator[Failure]:
    for jump in chain.jumps:
        found = sum(jump.after < seq < jump.to for seq in chain.late)
        missing = jump.to - jump.after - 1 - found
        if missing > jump.damaged:
            detail = f"{missing} missing between {jump.after} and {jump.to}"
            yield Failure(Failed.GAP, detail, jump.line, tenant, jump.after + 1)


def _against_checkpoints(tenant: str, chain: _Chain, damaged: int) -> Iterator[Failure]:
    """Receipts that hold, and yet are not those that a checkpoint counted: a second history."""
    tree = Frontier()
    for checkpoint, line in sorted(chain.said, key=lambda said: said.checkpoint.size):
        while tree.size < checkpoint.size and tree.size + 1 in chain.leaves:
            tree.append(chain.leaves[tree.size + 1])
        if tree.size == checkpoint.size and tree.root() != checkpoint.root:
            detail = f"the checkpoint of {checkpoint.size} receipts counted others"
            yield Failure(Failed.FORK, detail, line, tenant, checkpoint.size)
            break
    size = max((said.checkpoint.size for said in chain.said), default=0)
    if size - chain.last > damaged - chain.damaged:
        detail = f"a checkpoint counted {size} receipts, the last here is {chain.last}"
        yield Failure(Failed.CUT_TAIL, detail, 0, tenant, chain.last + 1)
