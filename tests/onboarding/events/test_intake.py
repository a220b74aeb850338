"""Messages in, results out: what is stored, held, withheld and refused, and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from guardrails.consent import Purpose, filter_fields
from guardrails.consent.state import Consents, Newest
from onboarding.events.consenting import Grants
from onboarding.events.intake import Sender
from onboarding.events.messages import NO_IDS
from onboarding.events.verdicts import Result, Status, Warned
from onboarding.types import Event, EventKind, Person
from tests.onboarding.events.parts import IMPORTED, NOW, House, contracts, house, track

ID = "0d7a1f0e-3c53-4a7e-9d65-0f1f0a4b8c11"


@pytest.fixture
def home(tmp_path: Path) -> House:
    return house(tmp_path)


def told(result: Result) -> tuple[str, list[str]]:
    return result.status.value, [str(reason) for reason in result.reasons]


async def stored(home: House) -> list[Event]:
    return [each.event for each in await home.log.read("t", "g")]


async def test_a_planned_event_is_stored_with_what_its_person_allows(home: House) -> None:
    await home.allow("ana", Purpose.PRODUCT_ANALYTICS)
    (result,) = await home.take(track(ID, rows=7, share=0.5, note="hi", tags=["a"]))
    assert (result.message_id, told(result)) == (ID, ("stored", []))
    assert set(result.dropped) == {"share", "note"}, "not allowed, and without a purpose"
    (event,) = await stored(home)
    assert event.serving(Purpose.PRODUCT_ANALYTICS) == {"mode": "full", "rows": 7}
    assert event.serving(Purpose.SUPPORT) == {"mode": "full", "tags": ["a"]}
    assert event.purposes == {Purpose.SUPPORT, Purpose.PRODUCT_ANALYTICS}
    assert (event.user, event.account, event.version) == ("ana", "acme", "1-0-0")
    assert home.intake.tally["Import Finished", "stored"] == 1
    assert home.intake.tally["Import Finished/note", "dropped"] == 1


async def test_before_anybody_is_asked_it_serves_support_alone(home: House) -> None:
    (result,) = await home.take(track(ID, rows=7))
    (event,) = await stored(home)
    assert result.dropped == ("rows",)
    assert event.purposes == {Purpose.SUPPORT}


async def test_who_allows_nothing_is_not_stored(home: House) -> None:
    await home.allow("ana", Purpose.SUPPORT, given=False)
    (result,) = await home.take(track(ID))
    assert told(result) == ("withheld", ["no_consent"])
    assert await stored(home) == []
    assert await home.log.held("t") == ()


@pytest.mark.parametrize(
    ("message", "reasons"),
    [
        (track(ID, "Import Finishd"), ["unplanned_event"]),
        (track(ID, mode=None), ["required_missing:mode"]),
        (track(ID) | {"context": {}}, ["required_missing:account"]),
        (track(ID, mode="none"), ["datatype_mismatch:mode"]),
        (track(ID, rows="7"), ["datatype_mismatch:rows"]),
        (track(ID, rows=True), ["datatype_mismatch:rows"]),
        (track(ID, rows=-1), ["datatype_mismatch:rows"]),
        (track(ID, rows=1.5), ["datatype_mismatch:rows"]),
        (track(ID, rows=2**60), ["datatype_mismatch:rows"]),
        (track(ID, note="a" * 11), ["datatype_mismatch:note"]),
        (track(ID, note="a\0"), ["datatype_mismatch:note"]),
        (track(ID, tags="a"), ["datatype_mismatch:tags"]),
        (track(ID, tags=["a", 1]), ["datatype_mismatch:tags"]),
        (track(ID, done_at="yesterday"), ["datatype_mismatch:done_at"]),
        (track(ID, share=float("nan")), ["datatype_mismatch:share"]),
        (track(ID, other=1), ["additional_properties:other"]),
        (
            track(ID) | {"context": {"groupId": "a", "protocols": {"event_version": "2-0-0"}}},
            ["unknown_version"],
        ),
        ({**track(ID), "type": "page"}, ["unplanned_event"][:0]),
    ],
)
async def test_what_breaks_its_contract_is_quarantined(
    home: House, message: dict[str, Any], reasons: list[str]
) -> None:
    (result,) = await home.take(message)
    if not reasons:  # a page has a contract of its own, which leaves out what it does not plan
        assert (result.status, result.dropped) == (Status.STORED, ("mode",))
        return
    assert told(result) == ("quarantined", reasons)
    (row,) = await home.log.held("t")
    planned = reasons[0] not in {"unplanned_event", "unknown_version"}
    assert (row.sealed is not None) == planned
    if planned:
        assert b"Import" in await home.seal.open("t", row.subject, row.sealed or b"")
    assert "full" not in str(row.shape), "names and types, no values"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (None, "malformed"),
        ([], "malformed"),
        ({}, "malformed:type"),
        ({"type": "alias", "userId": "a"}, "malformed:type"),
        ({"type": "track", "userId": "a"}, "malformed:event"),
        ({"type": "track", "userId": "a", "event": "a\nb"}, "malformed:event"),
        ({"type": "track", "event": "Import Finished"}, "no_identity"),
        ({"type": "track", "event": "x", "userId": ["a"]}, "no_identity"),
        ({"type": "track", "event": "x", "userId": "a b"}, "no_identity"),
    ],
)
async def test_what_is_no_message_or_nobodys_is_refused(
    home: House, message: Any, reason: str
) -> None:
    (result,) = await home.take(message)
    assert told(result) == ("refused", [reason])


async def test_one_bad_event_does_not_fail_its_batch(home: House) -> None:
    batch = [track("m1"), None, track("m2", rows="x"), track("m3"), track("m1")]
    results = await home.take(*batch)
    assert [each.status.value for each in results] == [
        "stored", "refused", "quarantined", "stored", "duplicate",
    ]  # fmt: skip


async def test_sent_again_is_harmless_without_an_id_too(home: House) -> None:
    plain = {name: value for name, value in track(ID).items() if name != "messageId"}
    first, again = await home.take(plain, {**plain, "sentAt": "2026-03-02T12:00:00Z"})
    assert (first.status, again.status) == (Status.STORED, Status.DUPLICATE)
    assert first.message_id == again.message_id
    other = await home.take({**plain, "timestamp": "2026-03-02T11:00:00Z"})
    assert other[0].status is Status.STORED


@pytest.mark.parametrize("id", sorted(NO_IDS))
async def test_an_id_that_is_none_never_identifies(home: House, id: str) -> None:
    message = {"type": "identify", "userId": id, "anonymousId": "v1", "messageId": ID}
    (result,) = await home.take(message)
    assert (result.status, Warned.BAD_ID in result.warnings) == (Status.STORED, True)
    assert await home.log.aliases("t", id) == ()
    assert (await stored(home))[0].user is None


async def test_a_visitor_becomes_a_user(home: House) -> None:
    page = {"type": "page", "anonymousId": "v1", "messageId": "p1", "properties": {"path": "/a"}}
    who = {"type": "identify", "userId": "ana", "anonymousId": "v1", "messageId": "i1",
           "traits": {"role": "admin", "email": "ana@acme.example"}}  # fmt: skip
    _, named = await home.take(page, who)
    assert named.dropped == ("email",)
    found = await home.log.history(Person("t", "ana"), NOW)
    assert [each.kind for each in found.recent] == [EventKind.PAGE, EventKind.IDENTIFY]
    (refused,) = await home.take({**who, "userId": "bo", "messageId": "i2"})
    assert Warned.MERGE_REFUSED in refused.warnings


async def test_an_account_is_switched_by_group(home: House) -> None:
    group = {"type": "group", "userId": "ana", "groupId": "brix", "traits": {"plan": "team"}}
    await home.take(track("m1"))
    (result,) = await home.take(group)
    assert Warned.ACCOUNT_SWITCHED in result.warnings
    members = await home.log.accounts("t", "ana")
    assert [(each.account, each.primary) for each in members] == [("brix", True), ("acme", False)]


@pytest.mark.parametrize(
    ("message", "sent_at", "occurred", "warned"),
    [
        ({}, None, NOW, []),
        ({"timestamp": "2026-03-02T11:00:00Z"}, None, NOW - timedelta(hours=1), []),
        ({"timestamp": "2026-03-02T12:00:00+01:00"}, None, NOW - timedelta(hours=1), []),
        ({"originalTimestamp": "2026-03-02T11:00:00"}, None, NOW - timedelta(hours=1), []),
        (  # a clock that is a day behind
            {"timestamp": "2026-03-01T11:00:00Z", "sentAt": "2026-03-01T11:00:05Z"},
            None,
            NOW - timedelta(seconds=5),
            [],
        ),
        (
            {"timestamp": "2026-03-01T11:00:00Z"},
            NOW - timedelta(days=1),
            NOW - timedelta(hours=1),
            [],
        ),
        ({"timestamp": "2026-03-03T10:00:00Z"}, None, NOW + timedelta(hours=22), []),
        ({"timestamp": "2026-03-03T12:00:00Z"}, None, NOW, [Warned.FUTURE]),
        ({"timestamp": "2019-03-03T12:00:00Z"}, None, datetime(2019, 3, 3, 12, tzinfo=UTC), []),
        ({"timestamp": "soon"}, None, NOW, [Warned.BAD_TIME]),
        ({"timestamp": "9999-12-31T23:59:59Z", "sentAt": "0001-01-01T00:00:00Z"}, None, NOW,
         [Warned.BAD_TIME]),
        ({"timestamp": 1772452800}, None, NOW, [Warned.BAD_TIME]),
    ],
)  # fmt: skip
async def test_times_are_those_of_our_clock(
    home: House,
    message: dict[str, Any],
    sent_at: datetime | None,
    occurred: datetime,
    warned: list[Warned],
) -> None:
    (result,) = await home.take(track(ID) | message, sent_at=sent_at)
    assert ((await stored(home))[0].occurred_at, list(result.warnings)) == (occurred, warned)
    assert (await stored(home))[0].received_at == NOW


async def test_what_is_odd_is_told(home: House) -> None:
    context = {"groupId": "acme", "userAgent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}
    (bot,) = await home.take(track("no uuid".replace(" ", "-")) | {"context": context})
    assert set(bot.warnings) == {Warned.BAD_UUID, Warned.BOT}
    many = await home.take(*[track(f"m{n}") for n in range(60)])
    assert all(Warned.RATE in each.warnings for each in many)
    (calm,) = await home.intake.take(Sender("t"), [track("c1")], NOW + timedelta(seconds=1))
    assert Warned.RATE not in calm.warnings


async def test_a_page_speaks_of_its_own_person_alone(home: House) -> None:
    ana = Sender("t", "ana", "acme")
    alone = {name: v for name, v in track("m1").items() if name not in {"userId", "context"}}
    results = await home.take(
        alone,
        track("m2") | {"userId": "bo"},
        track("m3") | {"context": {"groupId": "other"}},
        {"type": "group", "groupId": "other", "messageId": "m4"},
        {"type": "identify", "anonymousId": "v1", "messageId": "m5"},
        sender=ana,
    )
    assert [told(each) for each in results] == [
        ("stored", []),
        ("refused", ["not_yours:userId"]),
        ("refused", ["not_yours:groupId"]),
        ("refused", ["not_yours:groupId"]),
        ("stored", []),
    ]
    assert [(e.user, e.account) for e in await stored(home)] == [("ana", "acme")] * 2
    assert await home.log.aliases("t", "ana") == ("v1",)
    (none,) = await home.take(track("m6"), sender=Sender("t", "ana"))
    assert told(none) == ("refused", ["not_yours:groupId"]), "who has no account names none"


async def test_nothing_of_who_was_erased_is_stored_or_held(home: House) -> None:
    await home.log.forget("t", "ana", NOW)
    home.seal.erased.add("ana")
    results = await home.take(track("m1"), track("m2", rows="x"))
    assert [told(each) for each in results] == [("withheld", ["erased"])] * 2
    assert await home.log.held("t") == ()


async def test_an_older_version_may_be_named(tmp_path: Path) -> None:
    newer = IMPORTED.replace("1-0-0", "2-0-0").replace("sample, full", "all")
    home = House(contracts(tmp_path / "c", IMPORTED, newer))
    old = {"context": {"groupId": "acme", "protocols": {"event_version": "1-0-0"}}}
    first, second = await home.take(track("m1", mode="all"), track("m2") | old)
    assert (first.status, second.status) == (Status.STORED, Status.STORED)
    assert [each.version for each in await stored(home)] == ["2-0-0", "1-0-0"]


async def test_a_part_of_the_context_that_does_not_fit_is_left_out(home: House) -> None:
    await home.allow("ana", Purpose.PRODUCT_ANALYTICS)
    context = {"groupId": "acme", "campaign": {"source": "news", "name": 7}, "ip": "10.0.0.1",
               "page": {"path": "/a"}, "locale": "de"}  # fmt: skip
    (result,) = await home.take(track(ID) | {"context": context})
    assert (result.status, result.dropped) == (Status.STORED, ("context.campaign.name",))
    fields = (await stored(home))[0].serving(Purpose.PRODUCT_ANALYTICS)
    assert fields == {
        "mode": "full",
        "context.campaign.source": "news",
        "context.page.path": "/a",
        "context.locale": "de",
    }


topics = st.tuples(
    st.sampled_from(list(Purpose)), st.sampled_from([None, "mode", "rows", "tags", "note"])
)


@given(said=st.dictionaries(topics, st.tuples(st.integers(1, 9), st.booleans())))
def test_grants_are_what_consent_says(
    said: dict[Any, tuple[int, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    catalogue = contracts(tmp_path_factory.mktemp("c"), IMPORTED)
    contract = catalogue.contract("Import Finished")
    assert contract is not None
    consents = Consents({topic: Newest(*word) for topic, word in said.items()})
    values: dict[str, JsonValue] = {
        "mode": "full",
        "rows": 1,
        "tags": ["a"],
        "note": "n",
        "share": 0.5,
    }
    kept = Grants().kept(contract, values, consents)
    wanted = filter_fields(values, catalogue.tags("Import Finished"), consents)
    assert kept.fields == wanted.kept
    assert set(kept.dropped) == {*wanted.untagged, *wanted.unconsented}
