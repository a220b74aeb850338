"""The ledger of erasures, beside the journal, and the receipt that closes each.

A finished erasure is an action of the journal's own keeper: its receipt stands in the tenant's
chain, and its `effect_ref` is the SHA-256 of the manifest. Ledger and receipt close together.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from pydantic import JsonValue
from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Index,
    Integer,
    MetaData,
    RowMapping,
    Table,
    Text,
    case,
    delete,
    func,
    insert,
    inspect,
    or_,
    select,
    text,
    update,
)

from guardrails.rights import Erasure
from guardrails.tenancy import EVERYBODY, protect, within
from tools.canonical import canonical, new_id, sha256
from tools.journal import Approval, ApprovalError, Ending, NewAction, Receipt, Sealer, State
from tools.receipts.view import payload_of
from tools.store import deciding, doing, tail
from tools.store.codec import Codec
from tools.store.engine import READS
from tools.store.moving import Book, timestamp
from tools.store.sql import SqlRows
from tools.tables import subject_key
from tools.types import Done, Principal, Tier, ToolCall
from tools.vault import Vault

T = TypeVar("T")
KEEPER = "~embark"
"""Who erases, as receipts name it; no host may call a person so."""
ERASE, DISCLOSE, TOOL_VERSION = "embark.erase", "embark.export", "1"
AT_ONCE_S = 60.0
_LOCK = 0x65726173  # one process at a time makes the tables
metadata = MetaData()

entry = Table(
    "erasure",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("begun", Text, nullable=False),
    Column("touched", Text, nullable=False),
    Column("finished", Text),
    Column("lifted", Boolean, nullable=False),
    Index("erasure_of_subject", "tenant", "subject"),
)
counted = Table(
    "erasure_store",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("erasure_id", Text, primary_key=True),
    Column("store", Text, primary_key=True),
    Column("place", Integer, nullable=False),
    Column("amount", Integer, nullable=False),
    Column("done", Boolean, nullable=False),
)


def prepare(engine: Engine) -> None:
    """Make the tables; nothing happens when they are there."""
    with within(EVERYBODY), engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if not inspect(connection).has_table(entry.name):
            metadata.create_all(connection)
            protect(connection, entry.name, counted.name)


class SqlErasures:
    """Over the journal's engine, on which `prepare` ran. `clock` as the journal has it."""

    def __init__(
        self, engine: Engine, vault: Vault, sealer: Sealer, clock: Callable[[], datetime]
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._sealer = sealer
        self._clock = clock

    async def begin(self, tenant: str, subject: str, by: str) -> Erasure:
        return await self._run(tenant, lambda c: self._begin(c, tenant, subject, by))

    async def plan(self, erasure: Erasure, store: str, items: int) -> None:
        await self._run(erasure.tenant, lambda c: self._plan(c, erasure, store, items))

    async def done(self, erasure: Erasure, store: str, items: int) -> None:
        more = case((counted.c.amount < items, items), else_=counted.c.amount)
        change = update(counted).where(*_at_store(erasure, store)).values(done=True, amount=more)
        await self._run(erasure.tenant, lambda c: c.execute(change))

    async def finish(self, erasure: Erasure) -> Erasure:
        make_key = partial(self._make_key, erasure.tenant)
        return await self._run(erasure.tenant, lambda c: self._finish(c, erasure), make_key)

    async def disclosed(self, tenant: str, subject: str, by: str) -> None:
        who = Principal(tenant, KEEPER, "")
        said: dict[str, JsonValue] = {"v": 1, "subject": subject, "given_to": by}
        await self._run(
            tenant,
            lambda c: _receipted(self._book(c), new_id(), who, DISCLOSE, said),
            partial(self._make_key, tenant),
        )

    def _make_key(self, tenant: str) -> None:
        """Before the transaction: it may write to the same SQLite file."""
        self._vault.mac(tenant, KEEPER, b"")

    async def let_in(self, erasure: Erasure) -> None:
        await self._run(erasure.tenant, lambda c: _let_in(c, erasure))

    async def erasure(self, tenant: str, erasure_id: str) -> Erasure | None:
        return await self._run(tenant, lambda c: _one(c, tenant, erasure_id), reads=True)

    async def erasures(self, tenant: str, *, open_only: bool = False) -> tuple[Erasure, ...]:
        wanted = select(entry.c.id).where(entry.c.tenant == tenant)
        if open_only:
            wanted = wanted.where(or_(entry.c.finished.is_(None), ~entry.c.lifted))

        def read(connection: Connection) -> tuple[Erasure, ...]:
            ids = connection.execute(wanted.order_by(entry.c.begun)).scalars().all()
            return tuple(found for each in ids if (found := _one(connection, tenant, each)))

        return await self._run(tenant, read, reads=True)

    # --- one transaction each --------------------------------------------------------------------

    def _begin(self, connection: Connection, tenant: str, subject: str, by: str) -> Erasure:
        _lock_subject(connection, tenant, subject)
        under_way = select(entry.c.id).where(
            entry.c.tenant == tenant,
            entry.c.subject == subject,
            entry.c.finished.is_(None),
        )
        known = connection.execute(under_way).scalar()
        now, made = self._clock(), known or new_id()
        if known is None:
            row = {"tenant": tenant, "id": made, "subject": subject, "requested_by": by}
            times = {"begun": timestamp(now), "touched": timestamp(now), "lifted": False}
            connection.execute(insert(entry).values(**row, **times))
        found = _one(connection, tenant, made)
        assert found is not None
        return found

    def _plan(self, connection: Connection, of: Erasure, store: str, items: int) -> None:
        _set(connection, of, touched=timestamp(self._clock()))
        stored = select(counted).where(*_at_store(of, store))
        row = connection.execute(stored).mappings().first()
        if row is None:
            theirs = (counted.c.tenant == of.tenant, counted.c.erasure_id == of.id)
            place = select(func.count()).select_from(counted).where(*theirs)
            at = {"tenant": of.tenant, "erasure_id": of.id, "store": store, "done": False}
            planned = {"amount": items, "place": connection.execute(place).scalar_one()}
            connection.execute(insert(counted).values(**at, **planned))
        elif row["done"] and items:
            more = {"amount": row["amount"] + items, "done": False}
            connection.execute(update(counted).where(*_at_store(of, store)).values(**more))

    def _finish(self, connection: Connection, of: Erasure) -> Erasure:
        _lock_subject(connection, of.tenant, of.subject)
        stored = _one(connection, of.tenant, of.id)
        if stored is None or stored.finished is not None:
            return stored or of
        now = self._clock()
        _set(connection, of, finished=timestamp(now))
        manifest = replace(stored, finished=now).manifest
        _receipted(self._book(connection), of.id, Principal(of.tenant, KEEPER, ""), ERASE, manifest)
        finished = _one(connection, of.tenant, of.id)
        assert finished is not None
        return finished

    def _book(self, connection: Connection) -> Book:
        rows = SqlRows(connection, Codec(self._vault), self._clock)
        return Book(rows, self._sealer, secrets.token_bytes)

    async def _run(
        self,
        tenant: str,
        work: Callable[[Connection], T],
        before: Callable[[], None] = lambda: None,
        *,
        reads: bool = False,
    ) -> T:
        def call() -> T:
            before()
            engine = self._engine.execution_options(**READS) if reads else self._engine
            with within(tenant), engine.begin() as connection:
                return work(connection)

        return await asyncio.to_thread(call)


def manifest_hash(manifest: dict[str, JsonValue]) -> str:
    """What the receipt's `effect_ref` says."""
    return f"sha256:{sha256(canonical(manifest))}"


def vouched(erasure: Erasure) -> bool:
    """Whether the receipt is of this manifest. Its signature: `embark receipts verify`."""
    if not erasure.jws:
        return False
    receipt = Receipt(erasure.tenant, 0, erasure.id, "", erasure.jws, erasure.begun)
    return bool(payload_of(receipt)["effect_ref"] == manifest_hash(erasure.manifest))


def _receipted(
    book: Book, action_id: str, who: Principal, tool: str, manifest: dict[str, JsonValue]
) -> None:
    """From a proposal to its end in one transaction, by the rules of every action."""
    new = NewAction(
        id=action_id,
        idem_key=f"{tool}/{action_id}",
        who=who,
        call=ToolCall(tool, TOOL_VERSION, manifest),
        tier=Tier.R0,
        policy_version=TOOL_VERSION,
        etag=None,
        expires_s=AT_ONCE_S,
    )
    action = deciding.propose(book, new)
    leave = Approval(
        new_id(), action_id, action.digest, "policy", "policy", None, sha256(tool.encode())
    )
    given = deciding.approve(book, action, leave, last=True)
    if isinstance(given, ApprovalError):
        raise given
    claim = doing.claim(book, KEEPER, AT_ONCE_S, action_id)
    assert claim is not None
    done = Done({}, effect_ref=manifest_hash(manifest))
    doing.settle(book, claim, Ending(State.SUCCEEDED, done))


def _one(connection: Connection, tenant: str, erasure_id: str) -> Erasure | None:
    wanted = select(entry).where(entry.c.tenant == tenant, entry.c.id == erasure_id)
    row = connection.execute(wanted).mappings().first()
    if row is None:
        return None
    counts = (
        select(counted.c.store, counted.c.amount)
        .where(counted.c.tenant == tenant, counted.c.erasure_id == erasure_id)
        .order_by(counted.c.place)
    )
    items = {row.store: row.amount for row in connection.execute(counts)}
    return _read(row, items, tail.receipts_of(connection, tenant, erasure_id))


def _read(row: RowMapping, counts: dict[str, int], receipts: Sequence[Receipt]) -> Erasure:
    finished = row["finished"]
    return Erasure(
        id=row["id"],
        tenant=row["tenant"],
        subject=row["subject"],
        by=row["requested_by"],
        begun=datetime.fromisoformat(row["begun"]),
        touched=datetime.fromisoformat(row["touched"]),
        finished=None if finished is None else datetime.fromisoformat(finished),
        lifted=row["lifted"],
        counts=counts,
        receipt=receipts[-1].id if receipts else "",
        jws=receipts[-1].jws if receipts else "",
    )


def _let_in(connection: Connection, of: Erasure) -> None:
    _lock_subject(connection, of.tenant, of.subject)
    _set(connection, of, lifted=True)
    again = select(entry.c.id).where(
        entry.c.tenant == of.tenant, entry.c.subject == of.subject, ~entry.c.lifted
    )
    if connection.execute(again).first() is None:
        destroyed = (
            subject_key.c.tenant == of.tenant,
            subject_key.c.subject == of.subject,
            subject_key.c.wrapped.is_(None),
        )
        connection.execute(delete(subject_key).where(*destroyed))


def _set(connection: Connection, of: Erasure, **values: object) -> None:
    one = (entry.c.tenant == of.tenant, entry.c.id == of.id)
    connection.execute(update(entry).where(*one).values(**values))


def _at_store(of: Erasure, store: str) -> tuple[ColumnElement[bool], ...]:
    return (
        counted.c.tenant == of.tenant,
        counted.c.erasure_id == of.id,
        counted.c.store == store,
    )


def _lock_subject(connection: Connection, tenant: str, subject: str) -> None:
    """One process at a time: two would begin two erasures, or sign twice."""
    if connection.dialect.name == "postgresql":
        named = {"name": f"erasure/{len(tenant)}/{tenant}/{subject}"}
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), named)
