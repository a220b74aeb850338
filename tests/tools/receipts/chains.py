"""Real chains, signed by a real ring, as the journal and the export write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import JsonValue

from tools.receipts.keys import Key, KeyRing
from tools.receipts.sealing import JwsSealer
from tools.receipts.verify import lines, notes
from tools.receipts.verify.journal import commitment
from tools.receipts.verify.merkle import Frontier, leaf_hash
from tools.receipts.verify.reading import link

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SALT = "c2FsdHNhbHRzYWx0c2FsdA"


def arguments(seq: int) -> dict[str, JsonValue]:
    return {"emails": [f"person{seq}@example.org", "ü@example.org"], "role": "viewer", "count": seq}


def payload(tenant: str, seq: int, prev: str) -> dict[str, JsonValue]:
    """As long as real ones: our ids of 22 characters, the host's of 20, hashes of 43."""
    return {
        "v": 1,
        "tenant": tenant,
        "seq": seq,
        "prev": prev,
        "ts": (NOON + timedelta(seconds=seq, microseconds=seq)).isoformat(timespec="microseconds"),
        "action_id": f"{seq:022}",
        "digest": f"{seq:043}",
        "tool": "invite_people",
        "tool_version": "1",
        "actor_ref": f"u{seq % 97:019}",
        "approver_refs": [f"u{seq % 89:019}"],
        "approval_hash": f"{seq * 7:043}",
        "policy_hash": "p" * 43,
        "outcome": "succeeded",
        "effect_ref": f"e{seq:019}",
        "undo_ref": f"{seq + 1:022}",
        "args_commit": commitment(SALT, arguments(seq)),
    }


@dataclass
class Signed:
    """A chain under way: the next receipt, and a checkpoint over all so far."""

    tenant: str
    ring: KeyRing
    seq: int = 0
    prev: str = ""
    now: datetime = NOON

    def __post_init__(self) -> None:
        self.tree = Frontier()
        self.sealer = JwsSealer(self.ring, lambda: self.now)

    def receipt(self, **changes: JsonValue) -> str:
        self.seq += 1
        return self.append(self.sealer.seal(payload(self.tenant, self.seq, self.prev) | changes))

    def append(self, jws: str) -> str:
        self.prev = link(jws.encode())
        self.tree.append(leaf_hash(jws.encode()))
        return jws

    def note(self) -> str:
        key = self.ring.signer(self.now)
        counted = notes.Checkpoint(self.tenant, self.tree.size, self.tree.root())
        return notes.write(counted, key.raw, signing(key))


def signing(key: Key) -> Callable[[bytes], bytes]:
    assert key.private is not None
    return key.private.sign


def chain_lines(signed: Signed, count: int, every: int) -> Iterator[str]:
    """Export lines; no checkpoint where `every` is 0."""
    for _ in range(count):
        yield lines.write("receipt", signed.receipt())
        if every and signed.seq % every == 0:
            yield lines.write("checkpoint", signed.note())


def open_ring(folder: Path) -> KeyRing:
    return KeyRing.open(folder, NOON)
