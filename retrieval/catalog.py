"""Every version that ever was, in one SQL table: the memory of `index status`, rollback and gc.

The pointer (or alias) decides what is current; the catalog follows it, and is mended from it after
a crash between the two.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from retrieval.manifest import Manifest


class VersionState(StrEnum):
    BUILDING = "building"  # in collections; a folder under construction stands apart
    READY = "ready"  # whole, never current
    PUBLISHED = "published"  # is current or was
    REFUSED = "refused"  # the gate said no; only its report is left
    REMOVED = "removed"  # by gc


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """One row. Times are UTC; `superseded` is when another version took over."""

    name: str
    state: VersionState
    created: datetime
    published: datetime | None
    superseded: datetime | None
    previous: str | None
    pages: int
    chunks: int
    size_bytes: int
    gate: Mapping[str, object]  # the gate's report


metadata = MetaData()
_version = Table(
    "index_version",
    metadata,
    Column("name", String(120), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("created", String(40), nullable=False),  # ISO 8601, UTC
    Column("published", String(40)),
    Column("superseded", String(40)),
    Column("removed", String(40)),
    Column("previous", String(120)),
    Column("pages", Integer, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("manifest", Text, nullable=False),
)
_c = _version.c


class Catalog:
    """Reads and writes `index_version`; the writer's lock is the caller's."""

    def __init__(self, engine: Engine) -> None:
        """Creates the table where it is missing."""
        self._engine = engine
        metadata.create_all(engine)

    def add(
        self, manifest: Manifest, state: VersionState, size_bytes: int, *, with_pages: bool = False
    ) -> None:
        """Record a version, replacing what was said of it before.

        Without `with_pages` they are only counted: the version's own folder lists them.
        """
        kept = manifest if with_pages else replace(manifest, pages=())
        with self._engine.begin() as connection:
            connection.execute(delete(_version).where(_c.name == manifest.version))
            connection.execute(
                insert(_version).values(
                    name=manifest.version,
                    state=state,
                    created=manifest.created,
                    previous=manifest.previous,
                    pages=len(manifest.pages),
                    chunks=manifest.chunks,
                    size_bytes=size_bytes,
                    manifest=kept.to_json().decode(),
                )
            )

    def published(self, name: str, now: datetime) -> None:
        """`name` is current from now on; what was current before is superseded."""
        stamp = now.isoformat()
        with self._engine.begin() as connection:
            connection.execute(
                update(_version)
                .where(
                    _c.name != name,
                    _c.state == VersionState.PUBLISHED,
                    _c.superseded.is_(None),
                )
                .values(superseded=stamp)
            )
            connection.execute(
                update(_version)
                .where(_c.name == name)
                .values(state=VersionState.PUBLISHED, published=stamp, superseded=None)
            )

    def removed(self, name: str, now: datetime | None) -> None:
        with self._engine.begin() as connection:
            connection.execute(
                update(_version)
                .where(_c.name == name, _c.state != VersionState.REFUSED)
                .values(
                    state=VersionState.REMOVED, removed=None if now is None else now.isoformat()
                )
            )

    def forget(self, name: str) -> None:
        """Drop the row of a version that never came to be."""
        with self._engine.begin() as connection:
            connection.execute(delete(_version).where(_c.name == name))

    def forget_content(self, but: str | None) -> None:
        """Pages and gate reports, which quote pages, of all versions but one; on SQLite also the
        bytes that were freed."""
        with self._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            query = select(_c.name, _c.manifest).where(_c.name != (but or ""))
            for name, packed in connection.execute(query).all():
                bare = replace(Manifest.from_json(packed, name), pages=(), gate={}, folders={})
                connection.execute(
                    update(_version).where(_c.name == name).values(manifest=bare.to_json().decode())
                )
        if self._engine.dialect.name == "sqlite":
            with self._engine.connect() as connection:
                alone = connection.execution_options(isolation_level="AUTOCOMMIT")
                alone.exec_driver_sql("VACUUM")

    def before(self, version: str | None, there: Collection[str]) -> str | None:
        """The nearest predecessor of `version` that is among those still `there`."""
        previous = {record.name: record.previous for record in self.records()}
        while version is not None:
            version = previous.get(version)
            if version in there:
                return version
        return None

    def manifest(self, name: str) -> Manifest | None:
        with self._engine.connect() as connection:
            held = connection.execute(select(_c.manifest).where(_c.name == name)).scalar()
        return None if held is None else Manifest.from_json(held, f"the manifest of {name}")

    def records(self) -> Sequence[VersionRecord]:
        """Newest first."""
        query = select(_version).order_by(_c.created.desc(), _c.name.desc())
        with self._engine.connect() as connection:
            return [
                VersionRecord(
                    name=row.name,
                    state=VersionState(row.state),
                    created=_time(row.created) or datetime.min.replace(tzinfo=UTC),
                    published=_time(row.published),
                    superseded=_time(row.superseded),
                    previous=row.previous,
                    pages=row.pages,
                    chunks=row.chunks,
                    size_bytes=row.size_bytes,
                    gate=Manifest.from_json(row.manifest, f"the record of {row.name}").gate,
                )
                for row in connection.execute(query)
            ]


def _time(stamp: str | None) -> datetime | None:
    return None if stamp is None else datetime.fromisoformat(stamp)
