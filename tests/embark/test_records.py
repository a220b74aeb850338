"""The books as a server opens them: who is reminded, and what a restart keeps."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from agent.reminding import GIVES_UP_S
from embark.policy_changes import note_policy
from embark.records import ASK_AGAIN_S, Records, Tell, now, open_books, open_records
from embark.settings import ActionSettings, Settings
from guardrails.audit import What
from guardrails.consent import Asked, Channel, Purpose, Wish
from guardrails.decisions import Kind
from tests.contracts.decisions import ANSWER
from tests.tools.journal.making import ADA, Hands, Seal, new, succeeded
from tools.journal import REMINDER, OutboxRow
from tools.journal_memory import MemoryJournal

BY_ADA = Asked("acme", "ada", "consent-3", Channel.PREFERENCES, "ada")


class Told:
    """What was passed on."""

    def __init__(self) -> None:
        self.rows: list[OutboxRow] = []

    async def __call__(self, row: OutboxRow) -> float | None:
        self.rows.append(row)
        return None


async def reminder(told: Told, records: Records) -> tuple[Tell, OutboxRow]:
    journal = MemoryJournal(Seal(), Hands())
    done = await succeeded(journal, new(who=ADA))
    row = OutboxRow(1, "acme", REMINDER, done.id, "t1", now())
    return records.telling(journal, told), row


async def test_who_withdrew_support_is_not_reminded(tmp_path: Path) -> None:
    told = Told()
    async with open_records(Settings(data_dir=tmp_path)) as records:
        tell, row = await reminder(told, records)
        assert await tell(row) is None
        assert told.rows == [row]
        await records.books.desk.take(BY_ADA, [Wish(Purpose.SUPPORT, given=False)])
        assert await tell(row) == ASK_AGAIN_S
        assert told.rows == [row]
        news = replace(row, kind="action.succeeded")
        assert await tell(news) is None  # the answer to what they asked for
        await records.books.desk.take(BY_ADA, [Wish(Purpose.SUPPORT, given=True)])
        assert await tell(row) is None
        assert told.rows == [row, news, row]


async def test_a_reminder_that_came_too_late_is_let_go(tmp_path: Path) -> None:
    told = Told()
    async with open_records(Settings(data_dir=tmp_path)) as records:
        tell, row = await reminder(told, records)
        await records.books.desk.take(BY_ADA, [Wish(Purpose.SUPPORT, given=False)])
        late = replace(row, created=now() - timedelta(seconds=GIVES_UP_S + 60))
        assert await tell(late) is None  # and the conversation has nothing to say to it


async def test_a_server_records_what_is_allowed(tmp_path: Path) -> None:
    rows = [
        replace(ANSWER, tenant="acme", subject="ada", id=f"{n}" * 22, purpose=purpose)
        for n, purpose in enumerate(Purpose)
    ]
    settings = Settings(data_dir=tmp_path)
    async with open_records(settings) as records:
        await records.books.desk.take(BY_ADA, [Wish(Purpose.MARKETING, given=True)])
        for row in rows:
            records.writer.put(row)
    with open_books(settings) as books:
        found = [row.decision.purpose for row in (await books.decisions.query("acme")).rows]
        assert sorted(found) == [Purpose.MARKETING, Purpose.SUPPORT]
        assert await books.decisions.due("acme", Kind.ANSWER, now()) == 2


async def test_a_change_of_the_policy_is_a_row(tmp_path: Path) -> None:
    tools, flows = tmp_path / "tools.yaml", tmp_path / "flows"
    tools.write_text("tools: {}")
    flows.mkdir()
    chosen = ActionSettings(tools=tools, flows=flows)
    settings = Settings(data_dir=tmp_path / "data", actions=chosen)
    with open_books(settings) as books:
        assert [await note_policy(settings, books) for _ in range(2)] == [True, False]
        (flows / "new.yaml").write_text("steps: []")
        assert [await note_policy(settings, books) for _ in range(2)] == [True, False]
        tools.write_text("tools: {a: {}}")
        assert await note_policy(settings, books)
        rows = [entry.note for entry in await books.audit.page("default")]
    assert [(row.who, row.what) for row in rows] == [("embark", What.POLICY_CHANGE)] * 3
    assert len({row.request_id for row in rows}) == 3


async def test_who_was_forgotten_is_known_after_a_restart(tmp_path: Path) -> None:
    """The key of the HMAC is derived from the installation's own."""
    settings = Settings(data_dir=tmp_path)
    with open_books(settings) as books:
        await books.desk.take(BY_ADA, [Wish(Purpose.TRAINING, given=True)])
        erasure = await books.consents.forget("acme", "ada", now())
    with open_books(settings) as books:
        assert await books.consents.erasures("acme", "ada") == (erasure,)
    with open_books(Settings(data_dir=tmp_path / "elsewhere")) as books:
        assert await books.consents.erasures("acme", "ada") == ()
