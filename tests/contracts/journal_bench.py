"""What the contract of journals is checked with."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import NamedTuple

from pydantic import JsonValue

from tests.tools.journal.making import (
    Hands,
    Seal,
)
from tools.canonical import sha256
from tools.journal import (
    Journal,
    Receipt,
)

LEASE_S = 30.0


class Bench(NamedTuple):
    """A journal, the clock it goes by, and the seal of its receipts."""

    journal: Journal
    hands: Hands
    seal: Seal


def payload(receipt: Receipt) -> Mapping[str, JsonValue]:
    part = receipt.jws.split(".")[1]
    read: Mapping[str, JsonValue] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return read


def check_chain(receipts: tuple[Receipt, ...], seal: Seal) -> None:
    prev = ""
    for place, receipt in enumerate(receipts, 1):
        signed, _, signature = receipt.jws.rpartition(".")
        seal.public.verify(
            urlsafe_b64decode(signature + "=" * (-len(signature) % 4)), signed.encode()
        )
        said = payload(receipt)
        assert (receipt.seq, said["seq"]) == (place, place)
        assert (receipt.prev, said["prev"]) == (prev, prev)
        assert (said["tenant"], said["action_id"]) == (receipt.tenant, receipt.action_id)
        prev = sha256(receipt.jws.encode())


async def told(journal: Journal) -> list[str]:
    return [row.kind for row in await journal.outbox()]
