from __future__ import annotations

from dataclasses import replace

import pytest

from tests.contracts.journal import JournalContract
from tests.contracts.journal_bench import Bench
from tests.tools.journal.making import (
    FAILED,
    Hands,
    Seal,
    approved,
    new,
    other_call,
    pending,
    started,
    yes,
)
from tools.journal import ApprovalError, State
from tools.journal_memory import MemoryJournal
from tools.types import ToolCall


@pytest.fixture
def bench() -> Bench:
    hands, seal = Hands(), Seal()
    return Bench(MemoryJournal(seal, hands), hands, seal)


class TestMemoryJournal(JournalContract):
    pass


def tamper(journal: MemoryJournal, action_id: str) -> None:
    key = ("acme", action_id)
    entry = journal.shelves.entries[key]
    forged = replace(entry.action, call=ToolCall("invite", "3", {"email": "eve@example.com"}))
    journal.shelves.entries[key] = replace(entry, action=forged)


async def test_what_was_changed_behind_its_back_never_starts(bench: Bench) -> None:
    journal = bench.journal
    assert isinstance(journal, MemoryJournal)
    ready, shown = await approved(journal), await pending(journal, new(call=other_call("t")))
    running = await started(journal, new(call=other_call("u")))
    for each in (ready, shown, running.action):
        tamper(journal, each.id)
    assert await journal.claim("w1", 30, ready.id) is None
    refused = await journal.action("acme", ready.id)
    assert (refused.state, refused.reason) == (State.REFUSED, "tampered")
    with pytest.raises(ApprovalError) as caught:
        await journal.approve(shown, yes(shown), last=True)
    assert caught.value.code == "digest_mismatch"
    assert (await journal.action("acme", shown.id)).reason == "tampered"
    bench.hands.pass_s(30)
    assert await journal.claim("w1", 30) is None
    unknown = await journal.action("acme", running.action.id)
    assert (unknown.state, unknown.reason) == (State.UNKNOWN, "tampered")


async def test_a_transaction_that_fails_leaves_nothing(bench: Bench) -> None:
    journal, seal = bench.journal, bench.seal
    assert isinstance(journal, MemoryJournal)
    claim = await started(journal)
    before = replace(journal.shelves, outbox=dict(journal.shelves.outbox))
    kept = dict(journal.shelves.entries)

    def refuse(_payload: object) -> str:
        raise OSError("no key")

    seal.seal = refuse  # type: ignore[method-assign,assignment]
    with pytest.raises(OSError, match="no key"):
        await journal.settle(claim, FAILED)
    assert journal.shelves.entries == kept
    assert journal.shelves.outbox == before.outbox
    assert journal.shelves.receipts == {}
