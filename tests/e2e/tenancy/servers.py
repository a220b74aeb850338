"""Servers of several tenants, composed as the product composes them, over one index folder and one
database in which every tenant has lived."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from fastapi import FastAPI

from api import create_app
from api.sessions import Session, Spent, digest_of, new_credential
from api.staff.access import RIGHTS
from embark.cli.serve import guided, limits, site
from embark.rights import acts_of
from embark.settings import Settings
from embark.token_identity import open_admission
from embark.wiring import open_copilot
from retrieval.folder_archive import FolderArchive
from retrieval.index import Point
from retrieval.manifest import Manifest, PageRecord, version_name
from retrieval.memory import HashEncoder
from retrieval.representation import dense_text, sparse_passage
from retrieval.tags import tags_under
from tests.e2e.tenancy.databases import sqlite
from tests.e2e.tenancy.stores import GUIDED, MASTER, SUBJECT, Stores, live, page_of
from tools.types import Actor, Principal

HARBOR = Path(__file__).parents[3] / "examples" / "harbor" / "onboarding"
ORIGIN = "https://app.example"
KID = "kid"
FINGERPRINT = "0123456789ab"
SERVED = 4
"""So many tenants have a server at a time."""
_PLENTY = {"per_s": 1e6, "burst": 1e6}


@dataclass(frozen=True, slots=True)
class Server:
    """One tenant's, with credentials of the person who lived there and of one who is new."""

    tenant: str
    credential: str
    stranger: str
    app: FastAPI
    http: httpx.AsyncClient


async def filled(folder: Path, tenants: Sequence[str]) -> None:
    """Keys, database and index in the data folder, with every tenant's canaries; those that are
    served first, and every fourth, guide their people."""
    keys = folder / "keys"
    keys.mkdir(mode=0o700)
    (keys / "vault.key").write_bytes(MASTER)
    (keys / "vault.key").chmod(0o600)
    async with sqlite(folder / "all.sqlite") as stores:
        for at, tenant in enumerate(tenants):
            await live(stores, tenant, guides=at < SERVED or at % GUIDED == 0)
    _index(folder / "index", tenants)
    (folder / "tools.yaml").write_text("version: 1\nsources: {}\ntools: {}\n")


def _index(root: Path, tenants: Sequence[str]) -> None:
    encoder, now = HashEncoder(), datetime(2026, 5, 1, tzinfo=UTC)
    chunks = [page_of(tenant) for tenant in tenants]
    archive = FolderArchive(root, tags_under(MASTER))
    dense = encoder.encode_passages([dense_text(chunk) for chunk in chunks])
    manifest = Manifest(
        version=version_name(FINGERPRINT, now),
        fingerprint=FINGERPRINT,
        encoder=encoder.fingerprint,
        dimension=encoder.dimension,
        created=now.isoformat(),
        previous=None,
        pages=tuple(
            PageRecord("docs", c.path, c.doc_id, c.labels.tenant, c.content_hash, "rules", 1)
            for c in chunks
        ),
        chunks=len(chunks),
    )
    with archive.writing():
        draft = archive.begin(manifest.version, manifest.dimension, None)
        draft.writer.put(chunks)
        draft.index.upsert(
            [
                Point(
                    c.id, c.doc_id, c.path, c.source, c.labels, c.content_hash, v, sparse_passage(c)
                )
                for c, v in zip(chunks, dense, strict=True)
            ]
        )
        archive.publish(draft, manifest, now)


def settings_of(folder: Path, tenant: str) -> Settings:
    url = f"sqlite:///{folder / 'all.sqlite'}"
    key = {"kid": KID, "alg": "HS256", "issuer": "i", "audience": "a", "origins": [ORIGIN]}
    secret = folder / "secret"
    secret.write_text("s" * 40)
    given: dict[str, object] = {
        "tenant": tenant,
        "data_dir": str(folder),
        "encoder": {"backend": "hash"},
        "answer": {"threshold": 0.0},
        "database": {"url": url},
        "actions": {"url": url, "tools": str(folder / "tools.yaml")},
        "onboarding": {"folder": str(HARBOR)},
        "identity": {
            "tokens": {
                "keys": [{**key, "api_key_file": str(secret)}],
                "roles": {"admin": ["embark:staff", "items:write"]},
                "store": "database",
            }
        },
        "quotas": dict.fromkeys(("tenant", "user", "address", "anonymous"), _PLENTY),
    }
    return Settings(**given)  # type: ignore[arg-type]


async def signed_in(stores: Stores, tenant: str, subject: str = SUBJECT) -> str:
    """A credential of one of the tenant's people, as the exchange of a token would give it."""
    now = datetime.now(UTC)
    credential = new_credential(secrets.token_bytes(32), ORIGIN)
    session = Session(
        tenant, "default", KID, subject, subject, ("admin",), "pro", now, ORIGIN,
        now + timedelta(minutes=30),
    )  # fmt: skip
    spent = Spent(secrets.token_hex(32), now, now + timedelta(hours=1))
    assert await stores.sessions.open(digest_of(credential), session, spent, now)
    return credential


@asynccontextmanager
async def serving(folder: Path, tenants: Sequence[str]) -> AsyncIterator[list[Server]]:
    """One server for each, open until the block ends."""
    async with AsyncExitStack() as closing:
        stores = await closing.enter_async_context(sqlite(folder / "all.sqlite", make=False))
        servers = []
        for tenant in tenants:
            credential = await signed_in(stores, tenant)
            stranger = await signed_in(stores, tenant, "eve")
            app = await closing.enter_async_context(_served(settings_of(folder, tenant)))
            _let_staff_in(app)
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            http = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=30)
            await closing.enter_async_context(http)
            servers.append(Server(tenant, credential, stranger, app, http))
        yield servers


def staff_of(tenant: str) -> str:
    """A bearer token of the tenant's staff."""
    return f"staff {tenant}"


def _let_staff_in(app: FastAPI) -> None:
    """As a host would that knows the staff of all tenants and tells whoever asks."""
    context = app.state.context
    sessions = context.acts.identify

    async def identify(token: str) -> Actor | None:
        kind, _, tenant = token.partition(" ")
        if kind != "staff":
            known: Actor | None = await sessions(token)
            return known
        who = Principal(tenant, "sam", "account")
        return Actor(who, frozenset(RIGHTS), auth_time=datetime.now(UTC), staff=True)

    app.state.context = replace(context, acts=replace(context.acts, identify=identify))


@asynccontextmanager
async def _served(settings: Settings) -> AsyncIterator[FastAPI]:
    async with (
        open_copilot(settings, keep=True) as product,
        acts_of(settings, product) as acts,
        open_admission(settings) as admission,
    ):
        library = product.finder.library
        yield create_app(
            product.copilot,
            library,
            site(settings, product),
            limits(settings),
            guided(settings, product, acts),
            admission,
        )
