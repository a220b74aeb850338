"""create_app: the HTTP surface of a composed product. No logic, no settings, no globals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from api import (
    actions,
    approvals,
    chat,
    conversations,
    errors,
    health,
    openapi,
    pages,
    passages,
    receipts,
)
from api.acts import Acts
from api.assistant import Assistant
from api.context import Context, Site, page_url
from api.edge import BodyLimit, KnownHosts, PageHeaders
from api.identity import signed_in
from api.limits import Limits, StreamSlots
from api.pushing import push_runs
from api.runs import Runs
from retrieval.library import Library


def create_app(
    assistant: Assistant,
    library: Library,
    site: Site,
    limits: Limits | None = None,
    acts: Acts | None = None,
) -> FastAPI:
    """The application. It ends its own runs when it stops, and closes nothing that it was given.
    Without `acts` nobody signs in, and nothing is acted on."""
    caps, acting = limits or Limits(), acts or Acts()
    runs, slots = Runs(page_url, caps), StreamSlots(caps)
    context = Context(assistant, library, site, caps, runs, slots, acting)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        pushing = asyncio.create_task(push_runs(context), name="pushed runs")
        yield
        pushing.cancel()
        await asyncio.wait({pushing})
        await context.runs.close()

    app = FastAPI(
        title="Embark",
        version=site.version,
        summary="Answers with proof from your documentation, and set-up work with receipts",
        lifespan=lifespan,
        docs_url=None,  # its page loads scripts from a CDN and writes inline ones
        redoc_url=None,
    )
    app.state.context = context
    for module in (chat, conversations, approvals, actions, passages, pages, health):
        app.include_router(module.router(context))
    app.include_router(
        receipts.router(receipts.ReceiptDesk(acting.journal, acting.ring, signed_in))
    )
    pages.mount_static(app)
    errors.install(app)
    openapi.describe(app)
    _add_middleware(app, site, caps)
    return app


def _add_middleware(app: FastAPI, site: Site, caps: Limits) -> None:
    app.add_middleware(BodyLimit, max_bytes=caps.max_body_bytes)
    if site.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(site.allowed_origins),
            allow_methods=["GET", "POST"],
            allow_headers=[
                "authorization",
                "content-type",
                "idempotency-key",
                "if-match",
                "last-event-id",
            ],
            expose_headers=["etag", "retry-after", "www-authenticate"],
            allow_credentials=False,
        )
    app.add_middleware(KnownHosts, hosts=site.allowed_hosts)
    app.add_middleware(PageHeaders)
