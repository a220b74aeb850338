"""One writer at a time for one thing of a tenant, until the transaction ends."""

from __future__ import annotations

from sqlalchemy import Connection, text


def lock(connection: Connection, name: str) -> None:
    """SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        taken = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
        connection.execute(taken, {"name": name})


def lock_person(connection: Connection, tenant: str, user: str) -> None:
    lock(connection, f"journey:{len(tenant)}:{tenant}:{user}")


def lock_catalogue(connection: Connection, tenant: str) -> None:
    lock(connection, f"journeys:{tenant}")
