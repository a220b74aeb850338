"""What every log of events does: appended once, read in order by group, resolved to its person."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from guardrails.consent import Purpose, Tagged
from onboarding.events import Addition, Appended, EventLog, Link, Membership
from onboarding.events.keeping import Due, EventKeeping
from onboarding.events.quarantine import Held, Quarantine
from onboarding.events.verdicts import Code, Quarantined, Reason
from onboarding.types import Event, EventKind, Person

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
BOTH = frozenset({Purpose.SUPPORT, Purpose.PRODUCT_ANALYTICS})
ANA = Person("t", "ana", "acme")
OPENED = Event(
    tenant="t",
    message_id="m1",
    kind=EventKind.TRACK,
    name="Opened",
    version="1-0-0",
    user="ana",
    anonymous=None,
    account="acme",
    occurred_at=NOON,
    received_at=NOON + timedelta(seconds=1, microseconds=7),
    fields={"rows": Tagged(7, BOTH), "context.page.path": Tagged("/a?é", BOTH)},
    purposes=BOTH,
)
BROKEN = Quarantined(
    message_id="q1",
    name="Opened",
    version="",
    subject="ana",
    reasons=(Reason(Code.DATATYPE_MISMATCH, "rows"), Reason(Code.REQUIRED_MISSING, "mode")),
    occurred_at=NOON - DAY,
    received_at=NOON,
    shape={"rows": "string"},
    sealed=b"\x00sealed\xff",
)


def mac(tenant: str, subject: str) -> str:
    """Of the tests: what a log keeps of who was erased."""
    return f"mac of {tenant}/{subject}"


@dataclass(frozen=True, slots=True)
class Shelf:
    """One database in its three roles."""

    log: EventLog
    quarantine: Quarantine
    keeping: EventKeeping


def event(id: str, **changes: Any) -> Event:
    return replace(OPENED, message_id=id, **changes)


def visit(id: str, **changes: Any) -> Event:
    """What a visitor does before they are identified, outside of any account."""
    return event(id, **{"user": None, "anonymous": "v1", "account": None, **changes})


async def stored(log: EventLog, *events: Event) -> list[Appended]:
    return list(await log.append("t", [Addition(each) for each in events]))


async def identify(log: EventLog, id: str, user: str, anonymous: str = "v1") -> Appended:
    said = event(id, kind=EventKind.IDENTIFY, name="identify", user=user, anonymous=anonymous)
    (done,) = await log.append("t", [Addition(said, Link(anonymous, user, NOON, id))])
    return done


async def joined(log: EventLog, id: str, account: str, *, primary: bool = False) -> Appended:
    said = event(id, account=account)
    member = Membership("ana", account, NOON, primary)
    (done,) = await log.append("t", [Addition(said, None, member)])
    return done


class EventLogContract:
    """Inherited by the test module of each implementation, which provides `shelf`, with `mac`."""

    @pytest.fixture
    def shelf(self) -> Any:
        raise NotImplementedError

    @pytest.fixture
    def log(self, shelf: Shelf) -> EventLog:
        return shelf.log

    async def test_what_is_appended_is_read_as_it_was(self, log: EventLog) -> None:
        plain = event("m2", fields={}, account=None, purposes=frozenset({Purpose.SUPPORT}))
        early = event("m3", occurred_at=datetime(1969, 7, 20, tzinfo=UTC), user="x/y")
        assert [each.number for each in await stored(log, OPENED, plain, early)] == [1, 2, 3]
        assert [e for _, e in await log.read("t", "g")] == [OPENED, plain, early]

    async def test_the_first_copy_alone_is_stored(self, log: EventLog) -> None:
        await stored(log, OPENED)
        done = await stored(log, event("m1", name="Other"), event("m2"), event("m2", name="Other"))
        assert [each.duplicate for each in done] == [True, False, True]
        assert [e.name for _, e in await log.read("t", "g")] == ["Opened", "Opened"]

    async def test_copies_sent_at_once_are_stored_once(self, log: EventLog) -> None:
        batch = [event(f"m{place}") for place in range(20)]
        each: list[Awaitable[list[Appended]]] = [stored(log, *batch) for _ in range(5)]
        done = await asyncio.gather(*each)
        assert sum(one.number is not None for many in done for one in many) == 20
        assert len(await log.read("t", "g")) == 20

    async def test_tenants_are_apart(self, log: EventLog) -> None:
        await stored(log, OPENED)
        assert not (await log.append("t2", [Addition(event("m1", tenant="t2"))]))[0].duplicate
        await log.ack("t", "g", 1)
        assert await log.position("t2", "g") == 0
        assert [e.tenant for _, e in await log.read("t2", "g")] == ["t2"]
        assert (await log.history(Person("t2", "ana"), NOON + DAY)).count("Opened", NOON) == 1

    async def test_each_group_reads_on_from_its_ack(self, log: EventLog) -> None:
        await stored(log, *[event(f"m{place}") for place in range(5)])
        first = await log.read("t", "g", limit=2)
        assert [each.event.message_id for each in first] == ["m0", "m1"]
        await log.ack("t", "g", first[-1].number)
        assert [e.message_id for _, e in await log.read("t", "g", limit=2)] == ["m2", "m3"]
        await log.ack("t", "g", 1)
        assert await log.position("t", "g") == first[-1].number, "it never goes back"
        assert len(await log.read("t", "other")) == 5
        assert len(await log.read("t", "g", after=4)) == 1

    async def test_who_waits_is_told(self, log: EventLog) -> None:
        assert not await log.changed("t", 0, 0.02)
        waiting = asyncio.create_task(log.changed("t", 0, 5))
        await asyncio.sleep(0.01)
        await stored(log, OPENED)
        assert await waiting
        assert await log.changed("t", 0, 0)
        assert not await log.changed("t", 1, 0.02)

    async def test_what_a_visitor_did_is_the_users_later(self, log: EventLog) -> None:
        await stored(log, visit("m1"), visit("m2", anonymous="v2"))
        assert not (await identify(log, "m3", "ana")).merge_refused
        await stored(log, visit("m4"))
        read = {e.message_id: e.user for _, e in await log.read("t", "g")}
        assert read == {"m1": "ana", "m2": None, "m3": "ana", "m4": "ana"}
        sent = [e.user for _, e in await log.read("t", "g", as_sent=True)]
        assert sent == [None, None, "ana", None]
        assert await log.aliases("t", "ana") == ("v1",)
        found = await log.history(Person("t", "ana"), NOON + DAY)
        assert {e.message_id for e in found.recent} == {"m1", "m3", "m4"}
        assert found.seen["Opened"].count == 2

    async def test_a_merge_is_undone(self, log: EventLog) -> None:
        await stored(log, visit("m1"))
        await identify(log, "m2", "ana")
        assert await log.unmerge("t", "v1")
        assert not await log.unmerge("t", "v1")
        assert (await log.history(Person("t", "ana"), NOON + DAY)).seen.keys() == {"identify"}
        assert not (await identify(log, "m3", "bo")).merge_refused

    async def test_two_people_are_never_merged(self, log: EventLog) -> None:
        await identify(log, "m1", "ana")
        assert (await identify(log, "m2", "bo")).merge_refused
        assert not (await identify(log, "m3", "ana")).merge_refused
        assert (await identify(log, "m4", "bo", anonymous="ana")).merge_refused
        assert await log.aliases("t", "bo") == ()

    async def test_a_user_is_of_many_accounts_and_one_is_primary(self, log: EventLog) -> None:
        assert not (await joined(log, "m1", "acme")).switched
        assert not (await joined(log, "m2", "brix")).switched
        accounts = await log.accounts("t", "ana")
        assert [(m.account, m.primary) for m in accounts] == [("acme", True), ("brix", False)]
        assert (await joined(log, "m3", "brix", primary=True)).switched
        assert not (await joined(log, "m4", "brix", primary=True)).switched
        accounts = await log.accounts("t", "ana")
        assert [(m.account, m.primary) for m in accounts] == [("brix", True), ("acme", False)]
        await stored(log, event("m5", account=None))
        assert (await log.read("t", "g"))[-1].event.account == "brix"

    async def test_history_is_of_the_person_and_their_account(self, log: EventLog) -> None:
        await stored(
            log,
            event("m1", occurred_at=NOON - DAY),
            event("m2", user="bo"),
            event("m3", user="eve", account="other"),
            event("m4", user=None, anonymous="acme-program"),
            event("m5", received_at=NOON + 9 * DAY),
            event("m6", account=None, name="Own"),
        )
        found = await log.history(ANA, NOON + DAY)
        assert {e.message_id for e in found.recent} == {"m1", "m2", "m4", "m6"}
        assert found.recent[0].message_id == "m1", "oldest first"
        assert found.seen["Opened"].count == 3
        assert (found.seen["Opened"].first, found.seen["Opened"].last) == (NOON - DAY, NOON)
        alone = await log.history(replace(ANA, account=None), NOON + DAY)
        assert {e.message_id for e in alone.recent} == {"m1", "m6"}

    async def test_history_may_be_cut_and_counts_all(self, log: EventLog) -> None:
        minutes = [timedelta(minutes=place) for place in range(9)]
        await stored(
            log,
            *[event(f"m{n}", occurred_at=NOON - m, user="ana" if n % 2 else "bo")
              for n, m in enumerate(minutes)],
        )  # fmt: skip
        found = await log.history(ANA, NOON + DAY, recent=3)
        assert [e.message_id for e in found.recent] == ["m2", "m1", "m0"]
        assert found.seen["Opened"].count == 9

    async def test_a_message_in_quarantine_is_kept_whole(self, shelf: Shelf) -> None:
        unplanned = replace(
            BROKEN, message_id="q0", reasons=(Reason(Code.UNPLANNED_EVENT),), sealed=None
        )
        await shelf.quarantine.hold("t", [BROKEN, unplanned])
        await shelf.quarantine.hold("t", [replace(BROKEN, name="Other")])
        assert await shelf.quarantine.held("t") == (unplanned, BROKEN)
        assert await shelf.quarantine.held("t", after="q0") == (BROKEN,)
        assert await shelf.quarantine.held("t", since=NOON + DAY) == ()
        assert await shelf.quarantine.held("t2") == ()
        assert await shelf.quarantine.reasons("t") == (
            Held("Opened", "datatype_mismatch:rows", 1, NOON),
            Held("Opened", "unplanned_event", 1, NOON),
        )
        assert await shelf.quarantine.release("t", ["q0", "none"]) == 1

    async def test_what_is_healed_leaves_the_quarantine(self, shelf: Shelf) -> None:
        await shelf.quarantine.hold("t", [BROKEN])
        healed = Addition(event("q1"), heals=True)
        assert [a.number for a in await shelf.log.append("t", [healed])] == [1]
        assert await shelf.quarantine.held("t") == ()
        assert (await shelf.log.append("t", [healed]))[0].duplicate
        await shelf.quarantine.hold("t", [BROKEN])
        assert await shelf.quarantine.held("t") == (), "it is stored: nothing is left to heal"

    async def test_a_person_is_forgotten_for_good(self, shelf: Shelf) -> None:
        log, keeping = shelf.log, shelf.keeping
        await stored(log, visit("m1"), visit("m2", anonymous="v2"), event("m3", user="bo"))
        await identify(log, "m4", "ana")
        await joined(log, "m5", "acme")
        await shelf.quarantine.hold("t", [BROKEN, replace(BROKEN, message_id="q2", subject="~v1")])
        own = await keeping.kept("t", "ana")
        assert [e.message_id for _, e in own] == ["m1", "m4", "m5"]
        assert await keeping.residue("t", "ana") == 7  # and two in quarantine, a link, a membership
        assert await keeping.forget("t", "ana", NOON + DAY) == 7
        assert await keeping.residue("t", "ana") == 0
        assert [e.message_id for _, e in await log.read("t", "g")] == ["m2", "m3"]
        assert await keeping.forget("t", "ana", NOON + DAY) == 0

    async def test_a_late_event_of_a_forgotten_person_is_not_stored(self, shelf: Shelf) -> None:
        log = shelf.log
        await stored(log, visit("m1"))
        await identify(log, "m2", "ana")
        await shelf.keeping.forget("t", "ana", NOON)
        later = NOON + timedelta(microseconds=1)
        done = await stored(
            log,
            event("m3", occurred_at=NOON),
            visit("m4", occurred_at=NOON - DAY),
            event("m5", occurred_at=later),
            event("m6", occurred_at=NOON, user="bo"),
        )
        assert [each.erased for each in done] == [True, True, False, False]
        assert [e.message_id for _, e in await log.read("t", "g")] == ["m5", "m6"]

    async def test_what_is_old_goes_unless_it_is_held(self, shelf: Shelf) -> None:
        old = {"received_at": NOON - 40 * DAY}
        await stored(
            shelf.log,
            event("m1", **old),
            event("m2", user="held", **old),
            event("m3", name="Typing", received_at=NOON - 2 * DAY),
            event("m4", received_at=NOON - 2 * DAY),
            visit("m5", **old),
        )
        due = Due(NOON - 30 * DAY, {"Typing": NOON - DAY}, frozenset({"held"}))
        assert await shelf.keeping.due("t", due) == 3
        assert await shelf.keeping.sweep("t", due, 2) == 2
        assert await shelf.keeping.sweep("t", due, 500) == 1
        assert await shelf.keeping.sweep("t", due, 500) == 0
        assert [e.message_id for _, e in await shelf.log.read("t", "g")] == ["m2", "m4"]
        await stored(shelf.log, event("m6"))
        assert (await shelf.log.read("t", "g"))[-1].number == 6, "numbers are not given again"

    async def test_quarantine_ends(self, shelf: Shelf) -> None:
        await shelf.quarantine.hold("t", [BROKEN, replace(BROKEN, message_id="q2", subject="held")])
        assert await shelf.keeping.due_quarantine("t", NOON, ()) == 0
        assert await shelf.keeping.due_quarantine("t", NOON + DAY, ["held"]) == 1
        assert await shelf.keeping.sweep_quarantine("t", NOON + DAY, ["held"], 9) == 1
        assert [row.message_id for row in await shelf.quarantine.held("t")] == ["q2"]
