"""Rows from a source, one connector a class: checks in their order, tables, and the rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx
import psycopg
from psycopg import sql

from harbor.problems import Problem

Row = dict[str, Any]
REQUIRED = ("event", "user_id", "occurred_at")
MOST_TABLES = 500
STATEMENT_TIMEOUT_MS = 60_000
CONNECT_S = 5


@dataclass(frozen=True, slots=True)
class Table:
    """`columns` maps a name to a guess of its type."""

    name: str
    columns: Mapping[str, str]


class Source(Protocol):
    """Raises Problem with the code of the first check that fails."""

    async def check(self) -> list[str]:
        """Codes of warnings."""
        ...

    async def tables(self) -> list[Table]: ...

    def rows(self, table: str, limit: int | None) -> AsyncIterator[Row]:
        """Rows with at least `event`, `user_id` and `occurred_at`, as the source has them."""
        ...


class CsvSource:
    """Text of a CSV file that was uploaded."""

    def __init__(self, data: bytes, delimiter: str | None = None) -> None:
        self._data = data
        self._delimiter = delimiter

    def _reader(self) -> csv.DictReader[str]:
        try:
            text = self._data.decode("utf-8-sig")
        except UnicodeDecodeError as failure:
            raise Problem("HBR-401", f"byte {failure.start} is not UTF-8") from failure
        head = text.partition("\n")[0]
        delimiter = self._delimiter or max(",;\t", key=head.count)
        reader = csv.DictReader(io.StringIO(text), delimiter=delimiter)
        missing = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
        if missing:
            raise Problem("HBR-402", f"the header lacks {', '.join(missing)}")
        return reader

    async def check(self) -> list[str]:
        self._reader()
        return []

    async def tables(self) -> list[Table]:
        reader = self._reader()
        first = next(iter(reader), {})
        return [Table("file", {n: guess(first.get(n)) for n in reader.fieldnames or ()})]

    async def rows(self, _table: str, limit: int | None) -> AsyncIterator[Row]:
        for number, row in enumerate(self._reader()):
            if limit is not None and number >= limit:
                return
            yield dict(row)


def guess(value: object) -> str:
    text = str(value or "")
    for name, read in (("integer", int), ("number", float), ("timestamp", datetime.fromisoformat)):
        try:
            read(text)
        except ValueError:
            continue
        return name
    return "text"


class PostgresSource:
    """A PostgreSQL database. `plain` allows connections without TLS, in the sandbox alone."""

    def __init__(self, config: Mapping[str, Any], password: str, *, plain: bool) -> None:
        self._config = config
        self._password = password
        self._schema = str(config.get("schema") or "public")
        self._ssl = "prefer" if plain else str(config.get("ssl_mode") or "require")

    async def _connect(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        try:
            return await psycopg.AsyncConnection.connect(
                host=self._config["host"], port=self._config.get("port") or 5432,
                dbname=self._config["database"], user=self._config["username"],
                password=self._password, sslmode=self._ssl, connect_timeout=CONNECT_S,
                options=f"-c statement_timeout={STATEMENT_TIMEOUT_MS}", autocommit=True,
            )  # fmt: skip
        except psycopg.OperationalError as failure:
            raise _refused(str(failure)) from failure

    async def check(self) -> list[str]:
        async with await self._connect() as database:
            found = await database.execute(
                "SELECT 1 FROM information_schema.schemata WHERE schema_name=%s", (self._schema,)
            )
            if await found.fetchone() is None:
                raise Problem("HBR-104", f"there is no schema {self._schema}")
            rights = await database.execute(
                "SELECT count(*), count(*) FILTER (WHERE has_table_privilege(c.oid, 'SELECT')),"
                " count(*) FILTER (WHERE has_table_privilege(c.oid, 'INSERT'))"
                " FROM pg_class c JOIN pg_namespace n ON n.oid=c.relnamespace"
                " WHERE n.nspname=%s AND c.relkind IN ('r','v','m','p')",
                (self._schema,),
            )
            tables, readable, writable = await rights.fetchone() or (0, 0, 0)
            if tables and not readable:
                raise Problem("HBR-105", f"grant SELECT on the tables of {self._schema}")
            return ["HBR-106"] if writable else []

    async def tables(self) -> list[Table]:
        async with await self._connect() as database:
            found = await database.execute(
                "SELECT table_name, column_name, data_type FROM information_schema.columns"
                " WHERE table_schema=%s ORDER BY table_name, ordinal_position",
                (self._schema,),
            )
            tables: dict[str, dict[str, str]] = {}
            for table, column, kind in await found.fetchall():
                tables.setdefault(table, {})[column] = kind
        return [Table(name, columns) for name, columns in list(tables.items())[:MOST_TABLES]]

    async def rows(self, table: str, limit: int | None) -> AsyncIterator[Row]:
        async with await self._connect() as database:
            query = sql.SQL("SELECT * FROM {}.{}").format(
                sql.Identifier(self._schema), sql.Identifier(table)
            )
            if limit is not None:
                query = query + sql.SQL(" LIMIT {}").format(limit)
            try:
                cursor = await database.execute(query)
            except psycopg.errors.QueryCanceled as failure:
                raise Problem("HBR-107", "add an index, or import less") from failure
            except psycopg.errors.InsufficientPrivilege as failure:
                raise Problem("HBR-105", f"grant SELECT on {table}") from failure
            except psycopg.errors.UndefinedTable as failure:
                raise Problem("HBR-104", f"there is no table {table}") from failure
            except psycopg.OperationalError as failure:
                raise Problem("HBR-101", "the connection broke off") from failure
            names = [column.name for column in cursor.description or ()]
            missing = [name for name in REQUIRED if name not in names]
            if missing:
                raise Problem("HBR-402", f"{table} lacks the columns {', '.join(missing)}")
            async for values in cursor:
                yield {n: _plain(v) for n, v in zip(names, values, strict=True)}


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _refused(said: str) -> Problem:
    words = said.lower()
    table = (
        ("HBR-102", ("ssl", "certificate")),
        ("HBR-103", ("authentication failed", "no password", "role ")),
        ("HBR-104", ("database",)),
    )
    for code, signs in table:
        if any(sign in words for sign in signs):
            return Problem(code, said.strip().splitlines()[-1])
    return Problem("HBR-101", said.strip().splitlines()[0])


class _HttpSource:
    """What the two services have in common."""

    codes = ("HBR-201", "HBR-202")

    def __init__(self, base_url: str, secret: str) -> None:
        self._base_url = base_url
        self._secret = secret

    async def _get(self, path: str, **query: Any) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self._secret}"}
        async with httpx.AsyncClient(timeout=CONNECT_S, headers=headers) as client:
            try:
                answer = await client.get(self._base_url + path, params=query)
            except httpx.HTTPError as failure:
                raise Problem("HBR-101", "the service does not answer") from failure
        if answer.status_code == 429:
            wait = float(answer.headers.get("retry-after", 60))
            raise Problem("HBR-301", "the source asks to wait", retry_after=wait)
        if answer.status_code != 200:
            raise Problem(self.codes[0], answer.json()["error"]["message"])
        found: dict[str, Any] = answer.json()
        return found


class StripeSource(_HttpSource):
    async def check(self) -> list[str]:
        account = await self._get("/v1/account")
        missing = {"customers", "subscriptions"} - set(account["scopes"])
        if missing:
            raise Problem("HBR-202", f"allow the key to read {', '.join(sorted(missing))}")
        return [] if account["livemode"] else ["HBR-203"]

    async def tables(self) -> list[Table]:
        columns = {"event": "text", "user_id": "text", "occurred_at": "timestamp",
                   "amount": "integer", "interval": "text", "status": "text"}  # fmt: skip
        return [Table("subscriptions", columns)]

    async def rows(self, _table: str, limit: int | None) -> AsyncIterator[Row]:
        after: str | None = None
        sent = 0
        while True:
            query = {"limit": 50, **({"starting_after": after} if after else {})}
            page = await self._get("/v1/customers", **query)
            for customer in page["data"]:
                if limit is not None and sent >= limit:
                    return
                sent += 1
                plan = customer["subscription"]
                yield {"event_id": plan["id"], "event": "subscription_started",
                       "user_id": customer["metadata"]["user_id"],
                       "occurred_at": customer["created"], "amount": plan["amount"],
                       "interval": plan["interval"], "status": plan["status"],
                       "currency": plan["currency"]}  # fmt: skip
            if not page["has_more"]:
                return
            after = page["data"][-1]["id"]


class HubspotSource(_HttpSource):
    codes = ("HBR-211", "HBR-212")

    async def check(self) -> list[str]:
        token = await self._get("/oauth/v1/token")
        missing = {"crm.objects.contacts.read", "crm.objects.companies.read"} - set(token["scopes"])
        if missing:
            raise Problem("HBR-212", f"allow {', '.join(sorted(missing))}")
        return []

    async def tables(self) -> list[Table]:
        columns = {"event": "text", "user_id": "text", "occurred_at": "timestamp",
                   "lifecyclestage": "text"}  # fmt: skip
        return [Table("contacts", columns)]

    async def rows(self, _table: str, limit: int | None) -> AsyncIterator[Row]:
        after = sent = 0
        while True:
            page = await self._get("/crm/v3/objects/contacts", limit=50, after=after)
            for contact in page["results"]:
                if limit is not None and sent >= limit:
                    return
                sent += 1
                yield {"event_id": f"contact-{contact['id']}", "event": "contact_created",
                       "user_id": f"h_{contact['id']}", "occurred_at": contact["createdAt"],
                       **contact["properties"]}  # fmt: skip
            if "paging" not in page:
                return
            after = page["paging"]["next"]["after"]


def properties_of(row: Row) -> str:
    """What is not a column of its own, as JSON."""
    own = {*REQUIRED, "event_id"}
    return json.dumps({k: v for k, v in row.items() if k not in own}, sort_keys=True)
