"""create_app: the HTTP surface of a composed product. No logic, no settings, no globals."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from api import (
    actions,
    approvals,
    audit,
    chat,
    connectors,
    consents,
    conversations,
    decisions,
    errors,
    event_stream,
    events,
    guidance,
    guides,
    health,
    holds,
    interventions,
    kits,
    openapi,
    pages,
    passages,
    profile,
    receipts,
    rights,
    sessions,
    webhooks,
)
from api.acts import Acts
from api.admission import Admission, Door
from api.assistant import Assistant
from api.context import Context, Site, page_url
from api.edge import BodyLimit, KnownHosts, PageHeaders
from api.limits import Limits, StreamSlots
from api.pushing import push_runs
from api.runs import Runs
from api.staff import AUDIT_READ, person_or_staff_with
from api.staff import routes as staff
from guardrails.background import beside
from retrieval.library import Library


def create_app(
    assistant: Assistant,
    library: Library,
    site: Site,
    limits: Limits | None = None,
    acts: Acts | None = None,
    admission: Admission | None = None,
) -> FastAPI:
    """The application. It ends its own runs when it stops, and closes nothing that it was given.
    Without `acts` nobody signs in, and nothing is acted on; without `admission` there are no widget
    tokens and no quotas."""
    caps, door = limits or Limits(), admission or Admission()
    acting = _known(door.admitting(acts or Acts()))
    if acting.rights is not None and door.desk is not None:
        acting.rights.remember(rights.sessions_of(door.desk))
    runs, slots = Runs(page_url, caps), StreamSlots(caps)
    context = Context(assistant, library, site, caps, runs, slots, acting, staff=door.staff)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with beside({"pushed runs": lambda: push_runs(context)}):
            yield
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
    own = (chat, conversations, approvals, actions, guidance, guides, kits, passages, pages, health)
    privacy = (rights, consents, decisions, audit, holds, connectors, webhooks)
    for module in (*own, *privacy):
        app.include_router(module.router(context))
    auditor = person_or_staff_with(AUDIT_READ)
    app.include_router(
        receipts.router(receipts.ReceiptDesk(acting.journal, acting.ring, auditor, acting.audit))
    )
    app.include_router(events.router(acting.events))
    app.include_router(event_stream.router(acting.events))
    app.include_router(profile.router(context, acting.profiles))
    app.include_router(interventions.router(acting.messages))
    app.include_router(sessions.router(door.desk))
    app.include_router(staff.router(context))
    pages.mount_static(app)
    errors.install(app)
    openapi.describe(app)
    _add_middleware(app, site, caps, door)
    return app


def _known(acts: Acts) -> Acts:
    """Whoever is signed in here may send events of themself."""
    if acts.events is None:
        return acts
    return replace(acts, events=replace(acts.events, identify=acts.identify))


def _add_middleware(app: FastAPI, site: Site, caps: Limits, door: Admission) -> None:
    taking_events = {f"/v1/{path}": events.MAX_BYTES for path in events.PATHS}
    app.add_middleware(BodyLimit, max_bytes=caps.max_body_bytes, larger=taking_events)
    app.add_middleware(Door, admission=door)
    origins = dict.fromkeys((*site.allowed_origins, *door.origins))
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
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
