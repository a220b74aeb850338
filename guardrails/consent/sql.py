"""The trail in SQL: SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    Select,
    delete,
    func,
    insert,
    select,
    text,
)

from guardrails.consent.state import Consents, Newest, Topic
from guardrails.consent.store import subject_mac
from guardrails.consent.tables import consent, consent_erasing, consent_erasure
from guardrails.consent.types import Channel, Entry, Erasure, Purpose, Statement
from guardrails.refs import stamp
from guardrails.revisions import migrate
from guardrails.store import Transactions

_UPGRADE_LOCK = 0x636F6E73  # one process at a time makes the tables; any number serves


def upgrade(engine: Engine) -> None:
    """Bring the tables to the newest revision; nothing happens when they are there."""
    migrate(engine, "guardrails.consent:migrations", _UPGRADE_LOCK)


class SqlConsents:
    """Over an engine whose tables `upgrade` has made. `key`, 32 bytes or more, turns a forgotten
    subject into its HMAC."""

    def __init__(self, engine: Engine, key: bytes) -> None:
        self._transactions = Transactions(engine)
        self._key = key
        subject_mac(key, "", "")  # a key too short fails here

    async def record(self, statement: Statement) -> Entry:
        def work(connection: Connection) -> int:
            _take(connection, statement.tenant, statement.subject)
            last = select(func.coalesce(func.max(consent.c.number), 0) + 1).where(
                _own(statement.tenant, statement.subject)
            )
            row = insert(consent).values(number=last.scalar_subquery(), **_row(statement))
            return int(connection.execute(row.returning(consent.c.number)).scalar_one())

        return Entry(await self._transactions.write(statement.tenant, work), statement)

    async def of(self, tenant: str, subject: str) -> Consents:
        return (await self.of_all(tenant, [subject]))[subject]

    async def of_all(self, tenant: str, subjects: Collection[str]) -> Mapping[str, Consents]:
        columns = (consent.c.subject, consent.c.purpose, consent.c.field)
        newest_first = consent.c.number.desc()
        place = func.row_number().over(partition_by=columns, order_by=newest_first)
        theirs = (consent.c.tenant == tenant) & consent.c.subject.in_(subjects)
        said = select(*columns, consent.c.number, consent.c.given, place.label("place"))
        newest = said.where(theirs).subquery()
        wanted = select(newest).where(newest.c.place == 1)
        found: dict[str, dict[Topic, Newest]] = {subject: {} for subject in subjects}
        for row in await self._transactions.read(tenant, lambda c: c.execute(wanted).all()):
            found[row.subject][Purpose(row.purpose), row.field] = Newest(row.number, row.given)
        return {subject: Consents(topics) for subject, topics in found.items()}

    async def trail(self, tenant: str, subject: str) -> tuple[Entry, ...]:
        wanted = select(consent).where(_own(tenant, subject)).order_by(consent.c.number)
        rows = await self._transactions.read(tenant, lambda c: c.execute(wanted).mappings().all())
        return tuple(_entry(row) for row in rows)

    async def forget(self, tenant: str, subject: str, now: datetime) -> Erasure:
        mac = subject_mac(self._key, tenant, subject)

        def work(connection: Connection) -> Erasure:
            _take(connection, tenant, subject)
            before = connection.execute(_erased(tenant, mac)).mappings().all()
            own = select(func.count()).select_from(consent).where(_own(tenant, subject))
            entries = connection.scalar(own) or 0
            if before and not entries:
                return _erasure(before[-1])
            erasure = Erasure(tenant, mac, len(before) + 1, now, entries)
            _erase(connection, subject, erasure)
            return erasure

        return await self._transactions.write(tenant, work)

    async def erasures(self, tenant: str, subject: str) -> tuple[Erasure, ...]:
        wanted = _erased(tenant, subject_mac(self._key, tenant, subject))
        rows = await self._transactions.read(tenant, lambda c: c.execute(wanted).mappings().all())
        return tuple(_erasure(row) for row in rows)


def _take(connection: Connection, tenant: str, subject: str) -> None:
    """Until the transaction ends nobody else writes this trail. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        taken = text("SELECT pg_advisory_xact_lock(hashtextextended(:trail, 0))")
        connection.execute(taken, {"trail": f"consent:{len(tenant)}:{tenant}:{subject}"})


def _erase(connection: Connection, subject: str, erasure: Erasure) -> None:
    """The triggers let rows go while `consent_erasing` names their subject and an erasure."""
    kept = {"tenant": erasure.tenant, "subject_mac": erasure.subject_mac, "number": erasure.number}
    stated = {"at": stamp(erasure.at), "entries": erasure.entries}
    connection.execute(insert(consent_erasure).values(**kept, **stated))
    connection.execute(insert(consent_erasing).values(**kept, subject=subject))
    connection.execute(delete(consent).where(_own(erasure.tenant, subject)))
    connection.execute(
        delete(consent_erasing).where(
            consent_erasing.c.tenant == erasure.tenant, consent_erasing.c.subject == subject
        )
    )


def _own(tenant: str, subject: str) -> ColumnElement[bool]:
    return (consent.c.tenant == tenant) & (consent.c.subject == subject)


def _erased(tenant: str, mac: str) -> Select[tuple[object, ...]]:
    own = (consent_erasure.c.tenant == tenant) & (consent_erasure.c.subject_mac == mac)
    return select(consent_erasure).where(own).order_by(consent_erasure.c.number)


def _row(statement: Statement) -> dict[str, object]:
    return {
        "tenant": statement.tenant,
        "subject": statement.subject,
        "purpose": statement.purpose.value,
        "field": statement.field,
        "given": statement.given,
        "text_version": statement.text_version,
        "channel": statement.channel.value,
        "at": stamp(statement.at),
        "recorded_by": statement.recorded_by,
    }


def _entry(row: RowMapping) -> Entry:
    statement = Statement(
        tenant=row["tenant"],
        subject=row["subject"],
        purpose=Purpose(row["purpose"]),
        field=row["field"],
        given=row["given"],
        text_version=row["text_version"],
        channel=Channel(row["channel"]),
        at=datetime.fromisoformat(row["at"]),
        recorded_by=row["recorded_by"],
    )
    return Entry(row["number"], statement)


def _erasure(row: RowMapping) -> Erasure:
    return Erasure(
        row["tenant"],
        row["subject_mac"],
        row["number"],
        datetime.fromisoformat(row["at"]),
        row["entries"],
    )
