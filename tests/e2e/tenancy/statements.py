"""What each SQL statement says of the tenant: watched, or taken out to see whether anybody notices.

A statement on a table with a tenant says which one, wherever it is read, changed or deleted. Only
upkeep that says EVERYBODY (see `guardrails.tenancy`) may leave it out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Table, event, true
from sqlalchemy.sql import ClauseElement, visitors
from sqlalchemy.sql.dml import Delete, Update
from sqlalchemy.sql.elements import BinaryExpression, ColumnClause, TextClause
from sqlalchemy.sql.schema import Column
from sqlalchemy.sql.selectable import Join, Select

from embark.onboarding_keeping import TABLES
from guardrails.tenancy import EVERYBODY, whose

TENANT = "tenant"
NUMBERING = "SELECT coalesce(max("
"""How SQLite numbers rows of all tenants: the next number, and nothing of any row."""


class Use(NamedTuple):
    """One table in one kind of statement."""

    table: str
    kind: str  # select | update | delete


@dataclass
class Watch:
    """`uses` are all that occurred, `open` those that named no tenant, with their SQL."""

    uses: set[Use] = field(default_factory=set)
    open: dict[Use, str] = field(default_factory=dict)

    def see(self, connection: Connection, statement: Any, *_: Any) -> None:
        found = list(uses_of(statement))
        self.uses.update(use for use, _ in found)
        if connection.info.get("whose", whose()) == EVERYBODY:
            return
        for use, named in found:
            if not named:
                self.open.setdefault(use, str(statement))


def remember(connection: Connection) -> None:
    """Whose the transaction is that begins: what runs in it may run outside of `within`."""
    connection.info["whose"] = whose()


@contextmanager
def watching(*engines: Engine) -> Iterator[Watch]:
    """Every statement of these engines."""
    watch = Watch()
    for engine in engines:
        event.listen(engine, "begin", remember)
        event.listen(engine, "before_execute", watch.see)
    try:
        yield watch
    finally:
        for engine in engines:
            event.remove(engine, "begin", remember)
            event.remove(engine, "before_execute", watch.see)


def uses_of(statement: Any) -> Iterator[tuple[Use, bool]]:
    """Each table with a tenant that the statement touches, and whether it says whose rows."""
    if isinstance(statement, TextClause):
        yield from _of_text(str(statement))
    elif isinstance(statement, ClauseElement):
        for part in visitors.iterate(statement):
            if isinstance(part, (Select, Update, Delete)):
                yield from _of_part(part)


def _of_part(part: Select[Any] | Update | Delete) -> Iterator[tuple[Use, bool]]:
    kind = type(part).__name__.lower()
    named = {column.table for column in _tenants_compared(_conditions(part))}
    for table in _tables(part):
        if TENANT in table.c:
            yield Use(table.name, kind), table in named


def _tables(part: Select[Any] | Update | Delete) -> set[Table]:
    sources = part.get_final_froms() if isinstance(part, Select) else [part.table]
    found: set[Table] = set()
    for source in sources:
        inner = visitors.iterate(source) if isinstance(source, Join) else [source]
        found.update(each for each in inner if isinstance(each, Table))
    return found


def _conditions(part: Select[Any] | Update | Delete) -> list[ClauseElement]:
    found: list[ClauseElement | None] = [part.whereclause]
    if isinstance(part, Select):
        joins = (s for f in part.get_final_froms() for s in visitors.iterate(f))
        found += [join.onclause for join in joins if isinstance(join, Join)]
    return [each for each in found if each is not None]


def _tenants_compared(conditions: Sequence[ClauseElement]) -> Iterator[Column[Any]]:
    """Columns called `tenant` in a comparison that must hold; what stands below an OR need not."""
    for condition in conditions:
        yield from _compared(condition)


def _compared(condition: Any) -> Iterator[Column[Any]]:
    if getattr(condition, "operator", None) is not None and _is_and(condition):
        for clause in condition.clauses:
            yield from _compared(clause)
    elif isinstance(condition, BinaryExpression):
        for side in (condition.left, condition.right):
            if isinstance(side, Column) and side.name == TENANT:
                yield side
    elif hasattr(condition, "element"):
        yield from _compared(condition.element)


def _is_and(condition: Any) -> bool:
    return getattr(condition.operator, "__name__", "") == "and_" and hasattr(condition, "clauses")


_TEXT_TABLES = ("index_chunk", *TABLES)
"""Tables with a tenant that hand-written SQL names."""
_VERB = re.compile(r"\s*(\w+)")


def _of_text(sql: str) -> Iterator[tuple[Use, bool]]:
    verb = _VERB.match(sql)
    kind = verb.group(1).lower() if verb else ""
    kind = "select" if kind == "with" else kind
    for table in _TEXT_TABLES:
        if kind in {"select", "update", "delete"} and re.search(rf"\b{table}\b(?!_)", sql):
            yield Use(table, kind), bool(re.search(r"\btenant\s*(=|<>)\s*:tenant\b", sql))


@contextmanager
def without_tenant(use: Use, *engines: Engine, also: Collection[str] = ()) -> Iterator[None]:
    """A mutant: statements of this kind on this table do not say whose rows they mean; `also` names
    columns that would still tell them apart."""

    def strip(
        _connection: Connection, statement: Any, many: Any, params: Any, _options: Any
    ) -> Any:
        return stripped(statement, use, {TENANT, *also}), many, params

    for engine in engines:
        event.listen(engine, "before_execute", strip, retval=True)
    try:
        yield
    finally:
        for engine in engines:
            event.remove(engine, "before_execute", strip)


def stripped(statement: Any, use: Use, columns: Collection[str] = (TENANT,)) -> Any:
    """The same with every comparison of these columns of that table true."""
    if not isinstance(statement, (Select, Update, Delete)) or not _touches(statement, use):
        return statement

    def replaced(element: Any, **_: Any) -> Any:
        mine = isinstance(element, BinaryExpression) and any(
            isinstance(side, ColumnClause)
            and side.name in columns
            and getattr(side.table, "name", "") == use.table
            for side in (element.left, element.right)
        )
        return true() if mine else None

    return visitors.replacement_traverse(statement, {}, replaced)


def _touches(statement: Any, use: Use) -> bool:
    return any(found == use for found, _ in uses_of(statement))
