"""The chat page, its suggested questions, and the headers that keep every page to itself."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.context import Context
from api.schemas import SuggestionsBody

CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class PageHeaders:
    """ASGI middleware: the security headers on every answer that does not set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


def router(context: Context) -> APIRouter:
    """`/` and `/v1/suggestions`."""
    routes = APIRouter()
    page = (files("api") / "static" / "chat" / "index.html").read_text(encoding="utf-8")

    @routes.get("/", include_in_schema=False)
    async def chat() -> HTMLResponse:
        return HTMLResponse(page, headers={"cache-control": "no-cache"})

    @routes.get("/v1/suggestions", tags=["conversations"], summary="Questions to begin with")
    async def suggestions() -> SuggestionsBody:
        return SuggestionsBody(suggestions=context.site.suggestions)

    return routes


def mount_static(app: FastAPI) -> None:
    """`/static`: scripts and styles, revalidated by their ETag."""
    app.mount("/static", StaticFiles(packages=[("api", "static")]), name="static")
