"""`/widget/v1/`: the built widget, for pages of any origin.

`embark.js` is the stable name, looked at anew each time; the files that it loads hold a hash of
their content in their name, and never change.
"""

from __future__ import annotations

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from typing_extensions import override

LOADER = "embark.js"
PATH = "/widget/v1"
_SHARED = {
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
    "timing-allow-origin": "*",
}
"""Modules of another origin are fetched by CORS, without credentials."""
_FOREVER = "public, max-age=31536000, immutable"


class WidgetFiles(StaticFiles):
    """Static files that other origins may run."""

    @override
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_SHARED)
        response.headers["cache-control"] = "no-cache" if path == LOADER else _FOREVER
        return response


def mount_widget(app: FastAPI) -> None:
    """The folder of built files."""
    app.mount(PATH, WidgetFiles(packages=[("api", "static/widget")]), name="widget")
