"""What the journal's database keeps of a person, one store a table: copied, erased, counted.

Actions are not deleted: receipts point at them. Their content goes, the thread and the person they
were for go, and what is left is that something was done.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import JsonValue
from sqlalchemy import ColumnElement, Connection, Engine, Table, delete, func, select, update
from typing_extensions import override

from guardrails.pseudonyms import unveiled
from guardrails.tenancy import within
from tools.credentials_sql import user_credential
from tools.held_memory import context_of
from tools.held_sql import held_value
from tools.journal import Action, IllegalMoveError, Journal, Receipt
from tools.receipts.view import payload_of
from tools.store import tail
from tools.store.codec import Codec
from tools.store.deciding import OPEN
from tools.store.engine import READS
from tools.store.rows import Found
from tools.store.sql import SqlRows
from tools.tables import action, approval, compensation, outbox, standing_consent, subject_key
from tools.types import Tier
from tools.vault import Vault
from tools.vault_sql import SqlVault

T = TypeVar("T")
Line = Mapping[str, JsonValue]
NOBODY = "~erased"
"""Whose actions they are afterwards; no host may call a person so."""
BY_ERASURE = "erasure"
"""Who refused a card that was open."""
BLOCK = 500
GONE = dict.fromkeys(("args", "nonce", "salt", "detail", "card", "result", "etag", "thread_id"))


class SqlStore:
    """Rows of one table that name their subject. Deletes them, unless a leaf does otherwise."""

    name: str
    table: Table

    def __init__(self, engine: Engine, vault: Vault) -> None:
        self._engine = engine
        self._vault = vault

    async def export(self, tenant: str, subject: str) -> AsyncIterator[str]:
        """A page at a time, so that a long history needs no memory."""
        page: Sequence[Line] = ()
        while page := await self._run(tenant, self._page(tenant, subject, page), reads=True):
            for line in page:
                yield json.dumps(line, ensure_ascii=False)

    async def erase(self, tenant: str, subject: str) -> int:
        gone = delete(self.table).where(*self._own(tenant, subject))
        return await self._run(tenant, lambda c: c.execute(gone).rowcount)

    async def residue(self, tenant: str, subject: str) -> int:
        left = select(func.count()).select_from(self.table).where(*self._own(tenant, subject))
        return await self._run(tenant, lambda c: int(c.execute(left).scalar_one()), reads=True)

    def _own(self, tenant: str, subject: str) -> Iterable[ColumnElement[bool]]:
        return self.table.c.tenant == tenant, self.table.c.subject == subject

    def _page(
        self, tenant: str, subject: str, before: Sequence[Line]
    ) -> Callable[[Connection], Sequence[Line]]:
        """What follows the last page; here everything is one."""
        wanted = select(self.table).where(*self._own(tenant, subject))

        def read(connection: Connection) -> Sequence[Line]:
            if before:
                return ()
            return [self._line(dict(row)) for row in connection.execute(wanted).mappings()]

        return read

    def _line(self, row: dict[str, Any]) -> Line:
        raise NotImplementedError

    async def _run(self, tenant: str, work: Callable[[Connection], T], *, reads: bool = False) -> T:
        def call() -> T:
            engine = self._engine.execution_options(**READS) if reads else self._engine
            with within(tenant), engine.begin() as connection:
                return work(connection)

        return await asyncio.to_thread(call)


class Keys(SqlStore):
    """The key that everything sealed lies under: a `KeyStore`."""

    name = "key"
    table = subject_key

    def __init__(self, engine: Engine, vault: SqlVault) -> None:
        super().__init__(engine, vault)
        self._keys = vault

    @override
    async def erase(self, tenant: str, subject: str) -> int:
        return int(await asyncio.to_thread(self._keys.destroy, tenant, subject))

    def forget(self, tenant: str, subject: str) -> None:
        self._keys.forget(tenant, subject)

    @override
    def _own(self, tenant: str, subject: str) -> Iterable[ColumnElement[bool]]:
        return (*super()._own(tenant, subject), subject_key.c.wrapped.is_not(None))

    @override
    def _page(
        self, tenant: str, subject: str, before: Sequence[Line]
    ) -> Callable[[Connection], Sequence[Line]]:
        return lambda _connection: ()  # a key is nothing to take away


class HeldStore(SqlStore):
    """Values that they typed, under the tokens that stand for them."""

    name = "held"
    table = held_value

    @override
    def _line(self, row: dict[str, Any]) -> Line:
        place = (row["tenant"], row["subject"], context_of(row["thread_id"], row["token"]))
        try:
            value = self._vault.open(*place, bytes(row["value"])).decode()
        except ValueError:  # changed in the database: the rest of the copy is theirs all the same
            value = "(cannot be read)"
        return {
            "kind": "value",
            "thread": row["thread_id"],
            "token": row["token"],
            "type": row["type"],
            "value": unveiled(row["type"], value),  # a secret stays one
        }


class CredentialsStore(SqlStore):
    """Tokens of the host product: that there is one, never the token."""

    name = "credentials"
    table = user_credential

    @override
    def _line(self, row: dict[str, Any]) -> Line:
        return {"kind": "credential", "target": row["target"], "stored": row["stored"]}


class ConsentsStore(SqlStore):
    name = "consents"
    table = standing_consent

    @override
    def _line(self, row: dict[str, Any]) -> Line:
        return {"kind": "standing consent", "tool": row["tool"], "given": row["given"]}


class OutboxStore(SqlStore):
    """What is still to be told of their actions, and what was."""

    name = "outbox"
    table = outbox

    @override
    def _own(self, tenant: str, subject: str) -> Iterable[ColumnElement[bool]]:
        return outbox.c.tenant == tenant, outbox.c.action_id.in_(_ids(tenant, subject))

    @override
    def _line(self, row: dict[str, Any]) -> Line:
        named = {"kind": row["kind"], "action": row["action_id"], "thread": row["thread_id"]}
        return {**named, "created": row["created"], "sent": row["sent_at"]}


class ActionsStore(SqlStore):
    """Actions and their compensations; what is open is refused first."""

    name = "actions"
    table = action

    def __init__(self, engine: Engine, vault: Vault, journal: Journal) -> None:
        super().__init__(engine, vault)
        self._journal = journal
        self._codec = Codec(vault)

    @override
    async def erase(self, tenant: str, subject: str) -> int:
        await self._run(tenant, lambda c: _unthreaded(c, tenant, subject))
        for card in await self._journal.actions(tenant, subject=subject, states=OPEN, limit=BLOCK):
            await self._refuse(card)
        return await self._run(tenant, lambda c: _emptied(c, tenant, subject))

    async def _refuse(self, card: Action) -> None:
        try:
            await self._journal.refuse(card, "erased", BY_ERASURE)
        except IllegalMoveError:
            return  # somebody was first: it is decided, or under way

    @override
    def _page(
        self, tenant: str, subject: str, before: Sequence[Line]
    ) -> Callable[[Connection], Sequence[Line]]:
        oldest = str(before[0]["id"]) if before else None
        found = Found(tenant, subject, before=oldest, limit=BLOCK)

        def read(connection: Connection) -> Sequence[Line]:
            entries = SqlRows(connection, self._codec, None).find(found)
            return [
                _told(entry.action, tail.receipts_of(connection, *entry.key)) for entry in entries
            ]

        return read


class ApprovalsStore(SqlStore):
    """Their word on actions of others: copied, and kept as evidence under their opaque id."""

    name = "approvals"
    table = approval

    @override
    async def erase(self, tenant: str, subject: str) -> int:
        return 0

    @override
    async def residue(self, tenant: str, subject: str) -> int:
        return 0

    @override
    def _own(self, tenant: str, subject: str) -> Iterable[ColumnElement[bool]]:
        own = approval.c.action_id.in_(_ids(tenant, subject))
        return approval.c.tenant == tenant, approval.c.approver == subject, ~own

    @override
    def _line(self, row: dict[str, Any]) -> Line:
        said = {"kind": "approval", "action": row["action_id"], "decision": row["decision"]}
        return {**said, "channel": row["channel"], "at": row["created"]}


def journal_stores(engine: Engine, vault: Vault, journal: Journal) -> tuple[SqlStore, ...]:
    """In the order in which they are erased: what finds rows by their action goes before it."""
    return (
        HeldStore(engine, vault),
        CredentialsStore(engine, vault),
        ConsentsStore(engine, vault),
        OutboxStore(engine, vault),
        ApprovalsStore(engine, vault),
        ActionsStore(engine, vault, journal),
    )


def _ids(tenant: str, subject: str) -> Any:
    return select(action.c.id).where(action.c.tenant == tenant, action.c.subject == subject)


def _unthreaded(connection: Connection, tenant: str, subject: str) -> None:
    """What becomes of them now is told in no conversation."""
    own = (action.c.tenant == tenant, action.c.subject == subject)
    connection.execute(update(action).where(*own).values(thread_id=None))


def _emptied(connection: Connection, tenant: str, subject: str) -> int:
    """Of these actions all but that they were; their refusals are told to nobody."""
    for table in (outbox, compensation):
        theirs = (table.c.tenant == tenant, table.c.action_id.in_(_ids(tenant, subject)))
        change = delete(table) if table is outbox else update(table).values(args=None, etag=None)
        connection.execute(change.where(*theirs))
    own = (action.c.tenant == tenant, action.c.subject == subject)
    left = {"subject": NOBODY, "account": "", "content": "", "idem_key": "~erased/" + action.c.id}
    return connection.execute(update(action).where(*own).values(**GONE, **left)).rowcount


def _told(done: Action, receipts: Sequence[Receipt]) -> Line:
    """What a read found is the host product's, and of others: it is left out."""
    card = done.card
    fields: list[JsonValue] = [
        {"label": each.label, "value": "(secret)" if each.secret else each.value}
        for each in (card.fields if card is not None else ())
    ]
    reads = done.tier is Tier.R0
    return {
        "kind": "action",
        "id": done.id,
        "tool": done.call.tool,
        "title": card.title if card is not None else "",
        "state": done.state.value,
        "reason": done.reason,
        "detail": done.detail,
        "fields": fields,
        "arguments": dict(done.call.arguments) if reads else {},  # else the card says them
        "result": {} if reads else dict(done.result),
        "thread": done.thread_id,
        "created": done.created.isoformat(),
        "receipts": [_receipt(receipt, done.who.subject) for receipt in receipts],
    }


def _receipt(receipt: Receipt, subject: str) -> dict[str, JsonValue]:
    payload = payload_of(receipt)
    alone = set(payload["approver_refs"]) <= {subject, "policy"}
    told = {"id": receipt.id, "outcome": payload["outcome"], "at": payload["ts"]}
    return {**told, "jws": receipt.jws if alone else "(names others who approved)"}
