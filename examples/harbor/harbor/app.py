"""create_app: Harbor as one application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from harbor.context import Config
from harbor.faults import Faulty, Switches
from harbor.operations import problem_response
from harbor.outbox import deliver
from harbor.problems import Problem
from harbor.rates import Rates
from harbor.routers import ROUTERS, SANDBOX
from harbor.store import Store

ABOUT = "Product analytics for small SaaS companies."


def create_app(file: Path | str, config: Config) -> ASGIApp:
    """Harbor over this database file; with `sandbox` also its fault switches."""
    store = Store(file)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        jobs = [asyncio.create_task(deliver(app))]
        jobs += [asyncio.create_task(job(app)) for job in app.state.jobs]
        for job in jobs:
            job.add_done_callback(_ended)
        yield
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        store.close()

    app = FastAPI(title="Harbor", version="2026.2", summary=ABOUT, lifespan=lifespan,
                  docs_url=None, redoc_url=None, openapi_url="/openapi.json")  # fmt: skip
    app.state.config, app.state.store, app.state.lock = config, store, asyncio.Lock()
    app.state.rates = Rates()
    app.state.switches, app.state.jobs, app.state.dns = Switches(), [], {}
    app.state.imports, app.state.source_limit = asyncio.Event(), 0
    for module in ROUTERS + (SANDBOX if config.sandbox else ()):
        app.include_router(module.routes)
        if hasattr(module, "job"):
            app.state.jobs.append(module.job)
    _problems(app)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return Faulty(app, _operations(), app.state.switches)


def _ended(job: asyncio.Task[None]) -> None:
    """A job ends by being cancelled; any other end is a fault that must be seen."""
    if not job.cancelled() and (failure := job.exception()) is not None:
        logging.getLogger("harbor").error("a job ended", exc_info=failure)


def _operations() -> list[APIRoute]:
    return [r for module in ROUTERS for r in module.routes.routes if isinstance(r, APIRoute)]


def _problems(app: FastAPI) -> None:
    async def known(request: Request, failure: Exception) -> Response:
        assert isinstance(failure, Problem)
        return _refusal(request, failure)

    async def invalid(request: Request, failure: Exception) -> Response:
        assert isinstance(failure, RequestValidationError)
        said = [{"pointer": "/" + "/".join(map(str, e["loc"][1:])), "detail": e["msg"]}
                for e in failure.errors()]  # fmt: skip
        detail = "; ".join(f"{e['pointer']}: {e['detail']}" for e in said)
        return _refusal(request, Problem("invalid", detail, errors=said))

    async def http(_request: Request, failure: Exception) -> Response:
        assert isinstance(failure, HTTPException)
        known_codes = {404: "not_found", 401: "unauthenticated", 403: "forbidden"}
        problem = Problem(known_codes.get(failure.status_code, "invalid"), str(failure.detail))
        problem.status = problem.body["status"] = failure.status_code
        return problem_response(problem)

    def _refusal(request: Request, problem: Problem) -> Response:
        answer = problem_response(problem)
        answer.headers.update(getattr(request.state, "rate", {}))
        return answer

    app.add_exception_handler(Problem, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)


def _document(app: FastAPI) -> dict[str, Any]:
    """OpenAPI 3.1 of the public API alone."""
    if app.openapi_schema:
        return app.openapi_schema
    routes = [r for r in _operations() if r.path.startswith(("/v1/", "/scim/"))]
    found = get_openapi(title=app.title, version=app.version, summary=app.summary,
                        openapi_version="3.1.0", routes=routes,
                        servers=[{"url": app.state.config.base_url}])  # fmt: skip
    parts = found.setdefault("components", {})
    parts["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    parts.setdefault("schemas", {})["Problem"] = {
        "type": "object",
        "required": ["type", "title", "status", "detail", "code"],
        "properties": {
            "type": {"type": "string"}, "title": {"type": "string"},
            "status": {"type": "integer"}, "detail": {"type": "string"},
            "code": {"type": "string", "description": "HBR-… or a word"},
        },
    }  # fmt: skip
    found["security"] = [{"bearer": []}]
    app.openapi_schema = found
    return found
