"""Published files in SQL: a release is a set of versions, what is current is the last switch."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, Engine, RowMapping, func, select

from guardrails.refs import owner, stamp
from guardrails.store import Transactions
from onboarding.journeys import FileKind, Source
from onboarding.journeys.lint import Published
from onboarding.store.journeys.locking import lock_catalogue
from onboarding.store.journeys.store import (
    Draft,
    EditedVersionError,
    Release,
    StaleReleaseError,
    Switch,
    UnknownReleaseError,
)
from onboarding.store.journeys.storing import digest_of, edited, published_of
from onboarding.store.journeys.tables import (
    journey_item,
    journey_release,
    journey_source,
    journey_switch,
)

_S, _R, _I, _P = journey_source.c, journey_release.c, journey_item.c, journey_switch.c


class SqlCatalogues:
    """Over an engine whose tables `progress_sql.upgrade` has made."""

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)

    async def publish(self, tenant: str, draft: Draft, expected: int | None) -> Release:
        owner(tenant)

        def work(connection: Connection) -> Release:
            lock_catalogue(connection, tenant)
            current = _pointer(connection, tenant)
            if current != expected:
                raise StaleReleaseError(expected, current)
            _keep(connection, tenant, draft)
            number = _next(connection, tenant)
            _release(connection, tenant, number, draft)
            _point(connection, tenant, Switch(number, draft.by, draft.at, "published"))
            return _whole(connection, tenant, number)

        return await self._transactions.write(tenant, work)

    async def pointer(self, tenant: str) -> int | None:
        return await self._transactions.read(tenant, lambda c: _pointer(c, tenant))

    async def release(self, tenant: str, number: int) -> Release:
        return await self._transactions.read(tenant, lambda c: _whole(c, tenant, number))

    async def switch(self, tenant: str, switch: Switch) -> Release:
        def work(connection: Connection) -> Release:
            lock_catalogue(connection, tenant)
            found = _whole(connection, tenant, switch.number)
            _point(connection, tenant, switch)
            return found

        return await self._transactions.write(tenant, work)

    async def releases(self, tenant: str) -> tuple[Release, ...]:
        wanted = select(journey_release).where(_R.tenant == tenant).order_by(_R.number.desc())
        rows = await self._transactions.read(tenant, lambda c: c.execute(wanted).mappings().all())
        return tuple(_bare(row) for row in rows)

    async def switches(self, tenant: str) -> tuple[Switch, ...]:
        wanted = select(journey_switch).where(_P.tenant == tenant).order_by(_P.place.desc())
        rows = await self._transactions.read(tenant, lambda c: c.execute(wanted).mappings().all())
        return tuple(
            Switch(row["number"], row["by"], datetime.fromisoformat(row["at"]), row["why"])
            for row in rows
        )

    async def published(self, tenant: str) -> Published:
        def work(connection: Connection) -> Published:
            number = _pointer(connection, tenant)
            current = _whole(connection, tenant, number).sources if number is not None else ()
            return published_of(_sources(connection, tenant), current)

        return await self._transactions.read(tenant, work)


def _pointer(connection: Connection, tenant: str) -> int | None:
    last = select(_P.number).where(_P.tenant == tenant).order_by(_P.place.desc()).limit(1)
    return connection.scalar(last)


def _keep(connection: Connection, tenant: str, draft: Draft) -> None:
    """Texts that are not there yet. Raises EditedVersionError."""
    known = {_name(each): each.digest for each in _sources(connection, tenant)}
    if changed := edited(draft.sources, known):
        raise EditedVersionError(changed)
    for each in draft.sources:
        if _name(each) not in known:
            row = {
                "tenant": tenant,
                "kind": each.kind.value,
                "name": each.name,
                "version": each.version,
                "digest": each.digest,
                "content": each.text,
            }
            connection.execute(journey_source.insert().values(row))


def _release(connection: Connection, tenant: str, number: int, draft: Draft) -> None:
    row = {"by": draft.by, "at": stamp(draft.at), "note": draft.note}
    named = {"tenant": tenant, "number": number, "digest": digest_of(draft.sources)}
    connection.execute(journey_release.insert().values(**row, **named))
    items = [
        {
            "tenant": tenant,
            "number": number,
            "kind": each.kind.value,
            "name": each.name,
            "version": each.version,
        }
        for each in draft.sources
    ]
    if items:
        connection.execute(journey_item.insert(), items)


def _next(connection: Connection, tenant: str) -> int:
    last = select(func.coalesce(func.max(_R.number), 0)).where(_R.tenant == tenant)
    return 1 + int(connection.scalar(last) or 0)


def _point(connection: Connection, tenant: str, switch: Switch) -> None:
    last = select(func.coalesce(func.max(_P.place), 0)).where(_P.tenant == tenant)
    place = 1 + int(connection.scalar(last) or 0)
    row = {"number": switch.number, "by": switch.by, "at": stamp(switch.at), "why": switch.why}
    connection.execute(journey_switch.insert().values(tenant=tenant, place=place, **row))


def _whole(connection: Connection, tenant: str, number: int) -> Release:
    found = select(journey_release).where(_R.tenant == tenant, _R.number == number)
    row = connection.execute(found).mappings().one_or_none()
    if row is None:
        raise UnknownReleaseError(number)
    wanted = (
        select(journey_source)
        .join(
            journey_item,
            (_I.tenant == _S.tenant)
            & (_I.kind == _S.kind)
            & (_I.name == _S.name)
            & (_I.version == _S.version),
        )
        .where(_I.tenant == tenant, _S.tenant == tenant, _I.number == number)
        .order_by(_S.kind, _S.name)
    )
    sources = tuple(_source(each) for each in connection.execute(wanted).mappings())
    bare = _bare(row)
    return Release(bare.number, bare.by, bare.at, bare.note, bare.digest, sources)


def _sources(connection: Connection, tenant: str) -> list[Source]:
    wanted = select(journey_source).where(_S.tenant == tenant)
    return [_source(row) for row in connection.execute(wanted).mappings()]


def _source(row: RowMapping) -> Source:
    return Source(FileKind(row["kind"]), row["name"], row["version"], row["content"])


def _name(source: Source) -> tuple[str, str, int]:
    return source.kind.value, source.name, source.version


def _bare(row: RowMapping) -> Release:
    at = datetime.fromisoformat(row["at"])
    return Release(row["number"], row["by"], at, row["note"], row["digest"])
