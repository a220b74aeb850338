"""What was in quarantine comes in once it is mended, once, and under what is allowed today."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from guardrails.consent import Purpose
from onboarding.events import DataFileError
from onboarding.events.intake import Sender
from onboarding.events.quarantine import Fix
from onboarding.events.replaying import mended, read_fixes
from onboarding.events.verdicts import Status
from tests.onboarding.events.parts import IMPORTED, NOW, House, contracts, house, track

LATER = NOW + timedelta(days=2)
ROWS = {"Import Finished": Fix(fields={"lines": "rows", "junk": None})}


@pytest.fixture
async def home(tmp_path: Path) -> House:
    found = house(tmp_path)
    await found.allow("ana", Purpose.PRODUCT_ANALYTICS)
    early = {"timestamp": (NOW - timedelta(hours=5)).isoformat()}
    await found.take(
        track("m1", lines=7, junk=1) | early,
        track("m2", rows="x"),
        track("m3", "Import Finishd"),
    )
    return found


async def test_a_mended_message_keeps_its_id_and_time(home: House) -> None:
    done = await home.replay().run(NOW, ROWS, LATER)
    assert (done.counts[Status.STORED], done.counts[Status.QUARANTINED]) == (1, 1)
    assert (done.closed, done.reasons) == (1, {"datatype_mismatch:rows": 1})
    ((_, event),) = await home.log.read("t", "g")
    assert event.serving(Purpose.PRODUCT_ANALYTICS) == {"mode": "full", "rows": 7}
    assert event.message_id == "m1"
    assert event.occurred_at == NOW - timedelta(hours=5)
    assert event.received_at == LATER, "until then nobody knew of it"
    assert [row.message_id for row in await home.log.held("t")] == ["m2", "m3"]


async def test_twice_is_once(home: House) -> None:
    await home.replay().run(NOW, ROWS, LATER)
    done = await home.replay().run(NOW, ROWS, LATER)
    assert done.counts == {Status.QUARANTINED: 1}
    assert len(await home.log.read("t", "g")) == 1


async def test_what_counts_is_consent_today(home: House) -> None:
    await home.allow("ana", Purpose.SUPPORT, Purpose.PRODUCT_ANALYTICS, given=False)
    done = await home.replay().run(NOW, ROWS, LATER)
    assert done.counts[Status.WITHHELD] == 1
    assert [row.message_id for row in await home.log.held("t")] == ["m2", "m3"]


async def test_a_mended_contract_is_enough(home: House, tmp_path: Path) -> None:
    wider = contracts(tmp_path / "n", IMPORTED.replace("type: integer, min: 0", "type: string"))
    done = await home.replay(home.under(wider)).run(NOW, {}, LATER, "Import Finished")
    assert done.counts == {Status.STORED: 1, Status.QUARANTINED: 1}


async def test_nothing_older_is_touched(home: House) -> None:
    done = await home.replay().run(NOW + timedelta(seconds=1), ROWS, LATER)
    assert (done.counts, done.closed) == ({}, 0)


async def test_who_was_erased_stays_so(home: House) -> None:
    home.seal.erased.add("ana")
    done = await home.replay().run(NOW, ROWS, LATER)
    assert (done.counts, done.closed) == ({}, 3)


async def test_what_a_page_sent_stays_its_persons(tmp_path: Path) -> None:
    home = house(tmp_path)
    await home.allow("ana", Purpose.PRODUCT_ANALYTICS)
    alone = {
        name: v for name, v in track("m1", lines=7).items() if name not in {"userId", "context"}
    }
    await home.take(alone, sender=Sender("t", "ana", "acme"))
    done = await home.replay().run(NOW, ROWS, LATER)
    assert done.counts == {Status.STORED: 1}
    ((_, event),) = await home.log.read("t", "g")
    assert (event.user, event.account) == ("ana", "acme")
    assert event.serving(Purpose.PRODUCT_ANALYTICS)["rows"] == 7


def test_fixes_are_a_file(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text("events:\n  A: {event: B, version: 1-0-0, fields: {x: y}, values: {z: 1}}\n")
    fixes = read_fixes(path)
    raw = {"type": "track", "event": "A", "properties": {"x": 2}, "context": {"groupId": "g"}}
    assert mended(raw, fixes["A"]) == {
        "type": "track",
        "event": "B",
        "properties": {"y": 2, "z": 1},
        "context": {"groupId": "g", "protocols": {"event_version": "1-0-0"}},
    }
    path.write_text("events:\n  A: {evnt: B}\n")
    with pytest.raises(DataFileError, match=r"map.yaml:2:7: .*no such key"):
        read_fixes(path)
