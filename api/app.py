"""create_app: the HTTP surface of a composed product. No logic, no settings, no globals."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from api import chat, conversations, errors, health, openapi, pages, passages
from api.assistant import Assistant
from api.context import Context, Site, page_url
from api.edge import BodyLimit, KnownHosts, PageHeaders
from api.limits import Limits, StreamSlots
from api.runs import Runs
from retrieval.library import Library


def create_app(
    assistant: Assistant, library: Library, site: Site, limits: Limits | None = None
) -> FastAPI:
    """The application. It ends its own runs when it stops, and closes nothing that it was given."""
    caps = limits or Limits()
    context = Context(assistant, library, site, caps, Runs(page_url, caps), StreamSlots(caps))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await context.runs.close()

    app = FastAPI(
        title="Embark",
        version=site.version,
        summary="Answers with proof from your documentation",
        lifespan=lifespan,
        docs_url=None,  # its page loads scripts from a CDN and writes inline ones
        redoc_url=None,
    )
    app.state.context = context
    for module in (chat, conversations, passages, pages, health):
        app.include_router(module.router(context))
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
            allow_headers=["content-type", "last-event-id"],
            allow_credentials=False,
        )
    app.add_middleware(KnownHosts, hosts=site.allowed_hosts)
    app.add_middleware(PageHeaders)
