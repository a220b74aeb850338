"""What a real journal writes: exported, verified, held against the journal, shown to people."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tools.journal.making import (
    ADA,
    EVE,
    FAILED,
    SUCCEEDED,
    UNKNOWN,
    Hands,
    approved,
    new,
    started,
    succeeded,
    undoing,
)
from tools.journal_memory import MemoryJournal
from tools.receipts.checkpoints import Checkpointer, MemoryCheckpoints, Pace
from tools.receipts.export import dump, export
from tools.receipts.keys import KeyRing
from tools.receipts.sealing import JwsSealer
from tools.receipts.verify import Failed, Outside, Report, verify_file
from tools.receipts.verify.journal import Journal
from tools.receipts.view import UnknownReceiptError, show


class Desk:
    def __init__(self, folder: Path) -> None:
        self.folder, self.hands = folder, Hands()
        self.ring = KeyRing.open(folder / "keys", self.hands.at)
        self.journal = MemoryJournal(JwsSealer(self.ring, self.hands), self.hands)
        self.checkpoints = MemoryCheckpoints()

    async def verified(self) -> Report:
        file = self.folder / "receipts.jsonl"
        lines = [line async for line in export(self.journal, self.checkpoints, "acme")]
        file.write_text("".join(lines), encoding="utf-8")
        rows = [line async for line in dump(self.journal, "acme")]
        outside = Outside(journal=Journal.load(rows))
        return verify_file(file, json.dumps(self.ring.jwks()), outside)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def busy(desk: Desk) -> None:
    """Every outcome that has a receipt, and one of another tenant between."""
    journal = desk.journal
    done = await succeeded(journal)
    await journal.settle(await started(journal), FAILED)
    await succeeded(journal, new(who=EVE))
    doubtful = await journal.settle(await started(journal), UNKNOWN)
    await journal.resolve(doubtful, SUCCEEDED, "read_back")
    await journal.settle(await undoing(journal, done), SUCCEEDED)


async def test_every_outcome_of_a_journal_verifies(desk: Desk) -> None:
    await busy(desk)
    making = Checkpointer(desk.journal, desk.checkpoints, desk.ring, pace=Pace(2, 60))
    await making.visit("acme", desk.hands.at)
    report = await desk.verified()
    assert report.ok, report.failures
    assert report.heads == {"acme": 5}
    assert report.checkpoints == 2


async def test_a_journal_whose_arguments_were_changed_is_found(desk: Desk) -> None:
    action = await succeeded(desk.journal)
    key = ("acme", action.id)
    entry = desk.journal.shelves.entries[key]
    other = replace(entry.action.call, arguments={"email": "eve@example.com"})
    desk.journal.shelves.entries[key] = replace(entry, action=replace(entry.action, call=other))
    report = await desk.verified()
    assert [failure.failed for failure in report.failures] == [Failed.JOURNAL_MISMATCH]


async def test_content_that_cannot_be_read_any_more_is_no_erasure(desk: Desk) -> None:
    action = await succeeded(desk.journal)
    key = ("acme", action.id)
    entry = desk.journal.shelves.entries[key]
    lost = replace(entry.action, sealed="tampered", call=replace(entry.action.call, arguments={}))
    desk.journal.shelves.entries[key] = replace(entry, action=lost, salt="")
    report = await desk.verified()
    assert [failure.failed for failure in report.failures] == [Failed.JOURNAL_MISMATCH]


async def test_an_erased_person_leaves_a_chain_that_verifies(desk: Desk) -> None:
    action = await succeeded(desk.journal)
    key = ("acme", action.id)
    entry = desk.journal.shelves.entries[key]
    gone = replace(entry.action, sealed="erased", call=replace(entry.action.call, arguments={}))
    desk.journal.shelves.entries[key] = replace(entry, action=gone, salt="")
    assert (await desk.verified()).ok


async def test_a_receipt_is_shown_in_words(desk: Desk) -> None:
    done = await succeeded(desk.journal)
    shown = await show(desk.journal, "acme", "rcpt_1")
    assert shown.title == "Invite people"
    assert shown.approvers == ("ada",)
    assert shown.can_undo
    assert shown.undo.startswith("The invitation is withdrawn; until")
    await desk.journal.settle(await undoing(desk.journal, done), SUCCEEDED)
    shown = await show(desk.journal, "acme", "rcpt_1")
    assert (shown.can_undo, shown.undo) == (False, "undone")


async def test_a_failure_cannot_be_undone(desk: Desk) -> None:
    await desk.journal.settle(await started(desk.journal), FAILED)
    assert (await show(desk.journal, "acme", "rcpt_1")).undo == "cannot be undone"


@pytest.mark.parametrize(
    "name", ["rcpt_2", "rcpt_0", "rcpt_01", "rcpt_-1", "1", "", "rcpt_" + "9" * 40]
)
async def test_a_receipt_that_is_not_there_is_named(desk: Desk, name: str) -> None:
    await succeeded(desk.journal)
    with pytest.raises(UnknownReceiptError):
        await show(desk.journal, "acme", name)
    with pytest.raises(UnknownReceiptError):
        await show(desk.journal, "umbrella", "rcpt_1")


async def test_a_persons_receipts_are_those_of_their_actions(desk: Desk) -> None:
    await busy(desk)
    await approved(desk.journal)  # no receipt yet
    found = await desk.journal.receipts("acme", subject=ADA.subject)
    assert [receipt.seq for receipt in found] == [1, 2, 3, 4, 5]
    later = await desk.journal.receipts("acme", subject=ADA.subject, after=2, limit=2)
    assert [receipt.seq for receipt in later] == [3, 4]
    assert await desk.journal.receipts("acme", subject="bob") == ()
