"""An engine for the tables of acting, and the tables themselves."""

from __future__ import annotations

import re

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, StaticPool, create_engine, event, inspect, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from guardrails.tenancy import EVERYBODY, confine, within

BUSY_TIMEOUT_MS = 10_000
"""How long SQLite waits for a lock that another process holds (safety reference, 5.5)."""
POSTGRES_THREADS = 8
CONNECT_S = 5
READS = {"embark_reads": True}
"""Execution options of a connection that only reads: it takes no write lock on SQLite."""
_UPGRADE_LOCK = 0x656D6261726B  # one process at a time makes the tables; any number serves


def open_engine(url: str, schema: str | None = None) -> Engine:
    """An engine for `sqlite:///file.db` or `postgresql+psycopg://...`, set up as journals need.

    SQLite: write-ahead log, every commit on the disk, immediate transactions, and what is deleted
    overwritten. `schema` (PostgreSQL) is where the tables lie instead of the default.
    """
    if url.startswith("sqlite"):
        memory = url in {"sqlite://", "sqlite:///:memory:"}
        options = {"check_same_thread": False}
        engine = create_engine(
            url, connect_args=options, **({"poolclass": StaticPool} if memory else {})
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin)
        return engine
    arguments: dict[str, object] = {"connect_timeout": CONNECT_S}
    if schema is not None:
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", schema):
            raise ValueError(f"schema {schema!r}: small letters, digits and _ only")
        arguments["options"] = f"-csearch_path={schema}"
    engine = create_engine(
        url, connect_args=arguments, pool_pre_ping=True, pool_size=POSTGRES_THREADS
    )
    confine(engine)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver's own transaction handling is switched off
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get("embark_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def upgrade(engine: Engine, schema: str | None = None) -> None:
    """Bring the tables (and `schema`) to the newest revision; nothing happens when they are."""
    config = Config()
    config.set_main_option("script_location", "tools:migrations")
    config.set_main_option("path_separator", "os")
    with within(EVERYBODY), engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _UPGRADE_LOCK})
            if schema is not None and not inspect(connection).has_schema(schema):
                connection.execute(text(f"CREATE SCHEMA {schema}"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
