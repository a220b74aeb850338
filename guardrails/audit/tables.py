"""The tables of the audit log; `migrations/` makes them, with the triggers that keep it.

`audit_sweep` says which rows went by age: the triggers let go what stands there alone. Times are
ISO 8601 in UTC with microseconds, so that their text sorts.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text

VERSION_TABLE = "audit_schema_version"
metadata = MetaData()

audit = Table(
    "audit",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("whom", Text),
    Column("route", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Index("audit_of_whom", "tenant", "whom", "seq"),
    Index("audit_by_age", "tenant", "at"),
    sqlite_with_rowid=False,  # a row could be replaced by its rowid
)

audit_sweep = Table(
    "audit_sweep",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("through", BigInteger, nullable=False),
    Column("entries", Integer, nullable=False),
    sqlite_with_rowid=False,
)
