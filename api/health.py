"""Liveness, readiness and start-up, each with what it looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from fastapi import APIRouter, Response

from api.context import Check, Context
from api.schemas import CheckBody, HealthBody, LiveBody

PROBE_TIMEOUT_S = 2.0  # an orchestrator's own default timeout is 1-5 s


def router(context: Context) -> APIRouter:
    """`/livez`, `/readyz`, `/startupz`."""
    routes = APIRouter(tags=["operations"])

    @routes.get("/livez", summary="The process is alive")
    async def livez() -> LiveBody:
        return LiveBody()

    async def health(response: Response) -> HealthBody:
        response.headers["cache-control"] = "no-store"
        found = await _look(context)
        ready = all(check.ok for check in found.values())
        response.status_code = 200 if ready else 503
        bodies = {name: CheckBody(ok=c.ok, detail=c.detail) for name, c in found.items()}
        return HealthBody(ready=ready, checks=bodies)

    for path, summary in (
        ("/readyz", "Every part that answers need works"),
        ("/startupz", "Starting is over"),
    ):
        routes.get(path, summary=summary, responses={503: {"model": HealthBody}})(health)
    return routes


async def _look(context: Context) -> dict[str, Check]:
    probes = context.site.probes
    found = await asyncio.gather(*(_bounded(probe()) for probe in probes.values()))
    return dict(zip(probes, found, strict=True))


async def _bounded(looking: Awaitable[Check]) -> Check:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            return await looking
    except TimeoutError:
        return Check(False, f"no answer within {PROBE_TIMEOUT_S:g} s")
