"""A killed connector does nothing more, in any process, and its credentials are gone for good."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Engine, text
from typing_extensions import override

from guardrails.tenancy import within
from tests.api.serving import until
from tests.tools.acting.floor import START, Clock, Floor, yes
from tests.tools.journal.databases import postgres, sqlite
from tests.tools.twins import manifest
from tools import connectors_sql, credentials_sql
from tools.connectors import (
    ALL,
    KNOWN_S,
    Connector,
    ConnectorDesk,
    MemorySwitches,
    Switch,
    Switches,
    SwitchGate,
    UnknownConnectorError,
    Wiring,
)
from tools.connectors_sql import SqlSwitches
from tools.credentials import BearerToken, MemoryCredentials, Place, opened
from tools.credentials_sql import SqlCredentials, user_credential
from tools.executor import Executor, ExecutorParts
from tools.gate import StoppedError
from tools.journal import JournalUnavailableError, State
from tools.store.engine import open_engine
from tools.switched import SwitchedTool
from tools.tool import ForbiddenError, NotSentError
from tools.types import Attempt, Principal, Tier
from tools.vault_sql import SqlVault

MASTER = bytes(range(32))
TOLD = replace(manifest(), source="openapi:shop")
SHOP, POST = Connector("shop", "shop"), Connector("post", "Post")
WIRING = Wiring({"shop": SHOP, "mail": POST, "letters": POST})
WHO = Principal("t", "ana", "")


class SwitchesContract:
    @pytest.fixture
    def switches(self) -> Iterator[Switches]:
        yield MemorySwitches(Clock())

    async def test_a_switch_is_killed_once_and_restored(self, switches: Switches) -> None:
        assert await switches.all("t") == {}
        killed = await switches.kill("t", "shop", "ops")
        assert killed == Switch("shop", START, START, "ops")
        assert await switches.kill("t", "shop", "somebody else") == killed
        assert await switches.all("t") == {"shop": killed}
        assert await switches.all("t2") == {}
        restored = await switches.restore("t", "shop", "boss")
        assert (restored.killed, restored.by) == (None, "boss")
        again = await switches.kill("t", "shop", "ops")
        assert again.killed == START


class TestMemory(SwitchesContract):
    pass


class TestSqlite(SwitchesContract):
    @pytest.fixture
    @override
    def switches(self, tmp_path: Path) -> Iterator[Switches]:
        with sqlite(tmp_path) as engine:
            connectors_sql.prepare(engine)
            connectors_sql.prepare(engine)
            yield SqlSwitches(engine, Clock())


class TestPostgres(SwitchesContract):
    @pytest.fixture
    @override
    def switches(self) -> Iterator[Switches]:
        with postgres() as engine:
            connectors_sql.prepare(engine)
            connectors_sql.prepare(engine)
            yield SqlSwitches(engine, Clock())


# --- everything that a tool goes through ---------------------------------------------------------


@dataclass
class Stopped:
    floor: Floor
    switches: MemorySwitches
    gate: SwitchGate
    desk: ConnectorDesk

    async def kill(self, connector: str = "shop") -> int:
        return await self.desk.kill("t", connector, "ops")


def stopped(told: object = TOLD) -> Stopped:
    floor = Floor(told=told)  # type: ignore[arg-type]
    switches = MemorySwitches(floor.clock)
    gate = SwitchGate(switches, WIRING, time.monotonic)
    parts = ExecutorParts(
        journal=floor.books,
        catalogue=floor.shelf,
        policy_version=floor.policy_version,
        now=floor.clock,
        rng=Random(1),
        patience=floor.patience,
        gate=gate,
    )
    floor.executor = Executor(parts)
    floor.desk = floor.another_desk(executor=floor.executor, gate=gate)
    desk = ConnectorDesk(
        switches, MemoryCredentials(floor.clock), WIRING.connectors.values(), gate.forget
    )
    return Stopped(floor, switches, gate, desk)


async def test_nothing_is_proposed() -> None:
    place = stopped()
    await place.kill()
    with pytest.raises(StoppedError, match="stopped by an operator"):
        await place.floor.desk.prepare(place.floor.request())
    assert place.floor.tool.looks == 0
    assert await place.floor.books.by_key("t", "k1") is None


async def test_nothing_is_approved_and_the_card_waits() -> None:
    place = stopped()
    card = await place.floor.pending()
    await place.kill()
    with pytest.raises(StoppedError):
        await place.floor.desk.decide("t", yes(card))
    assert (await place.floor.books.action("t", card.id)).state is State.PENDING
    await place.desk.restore("t", "shop", "ops")
    assert (await place.floor.desk.decide("t", yes(card))).state is State.APPROVED


async def test_a_card_can_still_be_denied() -> None:
    place = stopped()
    card = await place.floor.pending()
    await place.kill()
    denied = await place.floor.desk.decide("t", replace(yes(card), verdict="deny"))
    assert denied.state is State.REFUSED


async def test_nothing_is_begun() -> None:
    place = stopped()
    card = await place.floor.approved()
    await place.kill()
    ended = await place.floor.desk.perform("t", card.id, 5.0)
    assert (ended.state, ended.reason) == (State.FAILED, "connector_killed")
    assert place.floor.tool.attempts == []
    assert place.floor.shop.items == {}


async def test_reading_is_stopped_too() -> None:
    place = stopped(replace(TOLD, tier=Tier.R0))
    await place.kill()
    with pytest.raises(StoppedError):
        await place.floor.desk.prepare(place.floor.request())


async def test_what_has_begun_ends() -> None:
    """The kill comes while the call is on its way."""
    place = stopped()
    card = await place.floor.approved()
    claim = await place.floor.books.claim("slot-0", 15.0, card.id)
    assert claim is not None
    running = asyncio.create_task(place.floor.executor.run(claim))
    await until(lambda: bool(place.floor.tool.attempts))
    await place.kill()
    assert (await running).state is State.SUCCEEDED


async def test_another_connector_goes_on() -> None:
    place = stopped()
    await place.kill("post")
    card = await place.floor.approved()
    assert (await place.floor.desk.perform("t", card.id, 5.0)).state is State.SUCCEEDED


async def test_one_switch_stops_everything() -> None:
    place = stopped()
    await place.kill(ALL)
    for source in ("openapi:shop", "mcp:mail", "openapi:letters"):
        with pytest.raises(StoppedError):
            await place.gate.check("t", replace(TOLD, source=source))
    await place.gate.check("t2", TOLD)
    await place.desk.restore("t", ALL, "ops")
    await place.gate.check("t", TOLD)


@pytest.mark.parametrize(
    ("source", "target", "through"),
    [
        ("openapi:shop", "shop", ("shop",)),
        ("mcp:mail", "Post", ("post",)),
        ("flow", "Post", ("post",)),
        ("flow", "Elsewhere", ()),
        ("python", "shop", ()),
        ("openapi:gone", "shop", ()),
    ],
)
def test_which_way_a_tool_goes(source: str, target: str, through: tuple[str, ...]) -> None:
    assert WIRING.of(replace(TOLD, source=source, target=target)) == through


async def test_a_connector_that_is_not_there_is_named() -> None:
    place = stopped()
    with pytest.raises(UnknownConnectorError, match="there are: shop, post"):
        await place.kill("shops")
    with pytest.raises(UnknownConnectorError):
        await place.desk.restore("t", "", "ops")


async def test_whoever_holds_a_tool_gets_nothing_through_it() -> None:
    """Choices and facts are read without the desk."""
    place = stopped()
    tool = SwitchedTool(place.floor.tool, place.gate)
    request = place.floor.request()
    assert (await tool.look(request.call, WHO)).label == "n"
    await place.kill()
    attempt = Attempt("a" * 22, 1, 1)
    for asked in (
        tool.look(request.call, WHO),
        tool.run(request.call, WHO, attempt),
        tool.read_back(request.call, WHO, attempt),
    ):
        with pytest.raises(StoppedError):
            await asked
    assert (place.floor.tool.looks, place.floor.tool.attempts) == (1, [])
    assert tool.manifest is place.floor.tool.manifest


async def test_who_listens_hears_of_every_change_and_of_nothing_else() -> None:
    place, heard = stopped(), list[str]()
    place.gate.listen(lambda: heard.append("changed"))
    await place.gate.check("t", TOLD)
    await place.kill()
    for _ in range(2):
        with pytest.raises(StoppedError):
            await place.gate.check("t", TOLD)
    assert heard == ["changed"]
    await place.desk.restore("t", "shop", "ops")
    for _ in range(2):
        await place.gate.check("t", TOLD)
    assert heard == ["changed", "changed"]


async def test_where_the_switch_cannot_be_read_the_gate_is_shut(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    gate = SwitchGate(SqlSwitches(engine, Clock()), WIRING, time.monotonic)
    with pytest.raises(JournalUnavailableError):
        await gate.check("t", TOLD)
    floor = Floor(told=TOLD)
    with pytest.raises(NotSentError, match="switch_unknown"):
        await SwitchedTool(floor.tool, gate).look(floor.request().call, WHO)
    engine.dispose()


# --- over a database: other processes, credentials -----------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with sqlite(tmp_path) if request.param == "sqlite" else postgres() as engine:
        for part in (connectors_sql, credentials_sql):
            part.prepare(engine)
            part.prepare(engine)
        yield engine


def kept(engine: Engine, gate: SwitchGate) -> SqlCredentials:
    return SqlCredentials(engine, SqlVault(engine, MASTER), Clock(), gate.is_killed)


def desk_of(engine: Engine) -> tuple[ConnectorDesk, SqlCredentials, SwitchGate]:
    """As a process of its own has them."""
    switches = SqlSwitches(engine, Clock())
    gate = SwitchGate(switches, WIRING, time.monotonic)
    credentials = kept(engine, gate)
    connectors = WIRING.connectors.values()
    return ConnectorDesk(switches, credentials, connectors, gate.forget), credentials, gate


@pytest.mark.alone
async def test_another_process_hears_of_it_within_five_seconds(engine: Engine) -> None:
    here, _, _ = desk_of(engine)
    _, _, there = desk_of(engine)
    await there.check("t", TOLD)
    began = time.monotonic()
    await here.kill("t", "shop", "ops")
    with pytest.raises(StoppedError):
        while time.monotonic() - began < 5.0:
            await there.check("t", TOLD)
            await asyncio.sleep(0.02)
    assert time.monotonic() - began < KNOWN_S + 1.0


async def test_a_kill_revokes_for_good_and_for_this_connector_alone(engine: Engine) -> None:
    desk, credentials, _ = desk_of(engine)
    people = [Principal(tenant, f"p{n}", "") for tenant in ("t", "t2") for n in range(3)]
    for who in people:
        for target in ("shop", "post"):
            await credentials.store(who, target, BearerToken(f"{who.subject}-{target}"))
    with within("t"), engine.begin() as connection:
        rows = connection.execute(user_credential.select()).mappings().all()
        backup = [dict(row) for row in rows if (row["tenant"], row["target"]) == ("t", "shop")]
    assert await desk.kill("t", "shop", "ops") == 3
    with within("t"), engine.begin() as connection:
        connection.execute(user_credential.insert(), backup)  # as a backup that is put back
    for who in people:
        assert await credentials.headers(who, "post")
        if who.tenant == "t2":
            assert await credentials.headers(who, "shop")
            continue
        with pytest.raises(ForbiddenError, match="not_signed_in"):
            await credentials.headers(who, "shop")
    fresh = SqlVault(engine, MASTER)
    for row in backup:
        place = Place(Principal("t", row["subject"], ""), "shop", 0)
        assert opened(fresh, place, row["sealed"]) is None
    assert await desk.kill("t", "shop", "ops") == 3  # what came back is revoked again


async def test_while_it_is_killed_nothing_is_kept_and_afterwards_people_sign_in_anew(
    engine: Engine,
) -> None:
    desk, credentials, _ = desk_of(engine)
    await credentials.store(WHO, "shop", BearerToken("old"))
    await desk.kill("t", "shop", "ops")
    await credentials.store(WHO, "shop", BearerToken("while it is killed"))
    assert await credentials.count("t", "shop") == 0
    await desk.restore("t", "shop", "ops")
    with pytest.raises(ForbiddenError, match="not_signed_in"):
        await credentials.headers(WHO, "shop")
    await credentials.store(WHO, "shop", BearerToken("new"))
    assert await credentials.headers(WHO, "shop") == {"Authorization": "Bearer new"}
    standing = {each.connector.id: each for each in await desk.standings("t")}
    assert {name: each.credentials for name, each in standing.items()} == {"shop": 1, "post": 0}
    assert (standing["shop"].switch.killed, standing["shop"].switch.by) == (None, "ops")


async def test_who_dies_while_killing_leaves_nothing_to_be_read(engine: Engine) -> None:
    """After the key is destroyed and before the rows are gone."""
    desk, credentials, _ = desk_of(engine)
    await credentials.store(WHO, "shop", BearerToken("old"))
    SqlVault(engine, MASTER).destroy("t", Place(WHO, "shop", 0).data_key)
    _, elsewhere, _ = desk_of(engine)
    with pytest.raises(ForbiddenError, match="not_signed_in"):
        await elsewhere.headers(WHO, "shop")
    with pytest.raises(NotSentError, match="credentials_revoked"):
        await elsewhere.store(WHO, "shop", BearerToken("new"))
    await desk.restore("t", "shop", "ops")
    await elsewhere.store(WHO, "shop", BearerToken("new"))
    assert await elsewhere.headers(WHO, "shop") == {"Authorization": "Bearer new"}


async def test_of_all_connectors_all_is_revoked(engine: Engine) -> None:
    desk, credentials, _ = desk_of(engine)
    for target in ("shop", "post"):
        await credentials.store(WHO, target, BearerToken("x"))
    assert await desk.kill("t", ALL, "ops") == 2
    assert [each.connector.id for each in await desk.standings("t")] == [ALL, "shop", "post"]
    await credentials.store(WHO, "shop", BearerToken("x"))
    assert await credentials.count("t", "shop") == 0


async def test_a_dump_without_the_master_key_has_no_usable_secret(
    engine: Engine, tmp_path: Path
) -> None:
    """Fifty planted ones: not in any row or file, and no other master key opens them."""
    _, credentials, _ = desk_of(engine)
    planted = {Principal("t", f"p{n}", ""): f"canary-{n}-{n * 7919:x}" for n in range(50)}
    for who, secret in planted.items():
        await credentials.store(who, "shop", BearerToken(secret))
    dumped = dump(engine, tmp_path)
    assert b"p49" in dumped  # the scan sees what there is
    assert [secret for secret in planted.values() if secret.encode() in dumped] == []
    thief = SqlCredentials(engine, SqlVault(engine, bytes(32)), Clock())
    for who in planted:
        with pytest.raises(ForbiddenError, match="not_signed_in"):
            await thief.headers(who, "shop")
    for who, secret in planted.items():
        assert await credentials.headers(who, "shop") == {"Authorization": f"Bearer {secret}"}


def dump(engine: Engine, folder: Path) -> bytes:
    """Every row of the tables that a credential touches, and every file, bytes as they are."""
    found = [file.read_bytes() for file in folder.iterdir() if file.is_file()]
    with within("t"), engine.begin() as connection:
        for table in ("user_credential", "connector_key", "subject_key"):
            for row in connection.execute(text(f"SELECT * FROM {table}")):
                found += [v if isinstance(v, bytes) else str(v).encode() for v in row]
    return b"\n".join(found)
