"""The chat page, its scripts and styles, and the questions that it suggests."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from api.context import Context
from api.schemas import SuggestionsBody
from api.widget import mount_widget


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
    """`/static`, scripts and styles, revalidated by their ETag; `/widget/v1`, the widget's."""
    app.mount("/static", StaticFiles(packages=[("api", "static")]), name="static")
    mount_widget(app)
