"""Held values in SQL, ciphertext under the subject's key. The table lies beside the journal's.

It has its own metadata and version: it is made by `prepare`, not by the revisions of acting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    delete,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import IntegrityError

from guardrails import Redacted, Redaction
from guardrails.labels import Integrity
from guardrails.pseudonyms import pseudonymise
from guardrails.tenancy import EVERYBODY, protect, within
from tools.held import Held
from tools.held_memory import Naming, context_of, restored, seen_by_owner, tokens_of
from tools.store.engine import READS
from tools.types import Arguments
from tools.vault import Vault

VERSION = 1
TRIES = 5
"""Writers of one conversation that may come in between before a turn gives up."""
_LOCK = 0x68656C64  # one process at a time makes the table
metadata = MetaData()

held_value = Table(
    "held_value",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("thread_id", Text, primary_key=True),
    Column("token", Text, primary_key=True),
    Column("ordinal", Integer, nullable=False),
    Column("subject", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("shape", JSON, nullable=False),
    Column("integrity", Integer, nullable=False),
    Column("mac", Text, nullable=False),
    Column("value", LargeBinary, nullable=False),
    UniqueConstraint("tenant", "thread_id", "mac", name="held_value_once"),
)
held_version = Table("held_value_version", metadata, Column("version", Integer, primary_key=True))


class HeldSchemaError(RuntimeError):
    """The table was made by a newer version of Embark; use that version."""


def prepare(engine: Engine) -> None:
    """Makes the table where it is missing. Raises HeldSchemaError."""
    with within(EVERYBODY), engine.begin() as connection:
        if connection.dialect.name == "postgresql":  # SQLite's transactions wait for one another
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if not inspect(connection).has_table(held_version.name):
            metadata.create_all(connection)
            protect(connection, held_value.name)
            connection.execute(insert(held_version).values(version=VERSION))
        found = connection.scalar(select(held_version.c.version))
    if found != VERSION:
        raise HeldSchemaError(f"held values have schema {found}, this is version {VERSION}")


class SqlHeldValues:
    """Over an engine of `tools.store.engine` on which `prepare` ran."""

    def __init__(self, engine: Engine, vault: Vault) -> None:
        self._engine = engine
        self._vault = vault

    async def hold(
        self, tenant: str, subject: str, thread_id: str, original: str, redaction: Redaction
    ) -> Redacted:
        work = partial(self._hold, (tenant, subject, thread_id), original, redaction)
        return await asyncio.to_thread(work)

    async def known(self, tenant: str, thread_id: str) -> tuple[Held, ...]:
        found = await asyncio.to_thread(self._stored, tenant, thread_id)
        return tuple(found.values())

    async def restore(
        self, tenant: str, subject: str, thread_id: str, arguments: Arguments
    ) -> Arguments:
        plain = dict(arguments)
        place = (tenant, subject, thread_id)
        opened = await asyncio.to_thread(self._opened, place, tokens_of(plain))
        return {name: restored(value, opened) for name, value in plain.items()}

    async def shown(self, tenant: str, subject: str, thread_id: str, text: str) -> str:
        place = (tenant, subject, thread_id)
        return seen_by_owner(text, await asyncio.to_thread(self._opened, place, tokens_of(text)))

    def erase(self, tenant: str, subject: str) -> int:
        """Deletes every value of the subject; how many there were."""
        gone = delete(held_value).where(
            held_value.c.tenant == tenant, held_value.c.subject == subject
        )
        with within(tenant), self._engine.begin() as connection:
            return connection.execute(gone).rowcount

    def _hold(self, place: tuple[str, str, str], original: str, redaction: Redaction) -> Redacted:
        for _ in range(TRIES - 1):
            try:
                return self._written(place, original, redaction)
            except IntegrityError:  # another turn of the conversation took the number
                continue
        return self._written(place, original, redaction)

    def _written(
        self, place: tuple[str, str, str], original: str, redaction: Redaction
    ) -> Redacted:
        tenant, subject, thread_id = place
        stored = self._stored(tenant, thread_id)
        naming = Naming(stored, lambda plain: self._vault.mac(tenant, subject, plain.encode()))
        said = pseudonymise(original, redaction, naming)
        rows = [
            self._row(place, len(stored) + at, *each) for at, each in enumerate(naming.fresh, 1)
        ]
        if rows:
            with within(tenant), self._engine.begin() as connection:
                connection.execute(insert(held_value), rows)
        return said

    def _row(
        self, place: tuple[str, str, str], ordinal: int, held: Held, mac: str, value: str
    ) -> dict[str, object]:
        tenant, subject, thread_id = place
        context = context_of(thread_id, held.token)
        return {
            "tenant": tenant,
            "thread_id": thread_id,
            "token": held.token,
            "ordinal": ordinal,
            "subject": subject,
            "type": held.type,
            "shape": dict(held.shape),
            "integrity": int(held.integrity),
            "mac": mac,
            "value": self._vault.seal(tenant, subject, context, value.encode()),
        }

    def _stored(self, tenant: str, thread_id: str) -> Mapping[str, Held]:
        """By mac, in the order in which they were said."""
        wanted = (
            select(held_value)
            .where(held_value.c.tenant == tenant, held_value.c.thread_id == thread_id)
            .order_by(held_value.c.ordinal)
        )
        with within(tenant), self._reading() as connection:
            rows = connection.execute(wanted).all()
        return {r.mac: Held(r.token, r.type, r.shape, Integrity(r.integrity)) for r in rows}

    def _opened(
        self, place: tuple[str, str, str], tokens: frozenset[str]
    ) -> dict[str, tuple[str, str]]:
        """Values of the subject's own. Raises KeyDestroyedError."""
        tenant, subject, thread_id = place
        wanted = select(held_value.c.token, held_value.c.type, held_value.c.value).where(
            held_value.c.tenant == tenant,
            held_value.c.thread_id == thread_id,
            held_value.c.subject == subject,
            held_value.c.token.in_(sorted(tokens)),
        )
        if not tokens:
            return {}
        with within(tenant), self._reading() as connection:
            rows = connection.execute(wanted).all()
        return {
            r.token: (
                r.type,
                self._vault.open(tenant, subject, context_of(thread_id, r.token), r.value).decode(),
            )
            for r in rows
        }

    def _reading(self) -> Connection:
        return self._engine.connect().execution_options(**READS)
