"""The page at /app, its files, what it must know before it starts, and signing out."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse

from harbor.context import NOWHERE, Config, hashed
from harbor.facts import ALERT_CHECK_MIN, IDENTITY_PROVIDERS, PERMISSIONS, PLANS, Plan
from harbor.problems import Problem

# Plain Starlette routes: pages are no operations, so they have no fault switch and no place
# in the OpenAPI document.
routes = APIRouter(include_in_schema=False)
COOKIE = "harbor_session"
STATIC = Path(__file__).with_name("static")
TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
FILES = {
    found.relative_to(STATIC).as_posix(): found
    for found in STATIC.rglob("*")
    if found.suffix in TYPES and found.name != "index.html"
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors "
)


def _headers(config: Config) -> dict[str, str]:
    return {
        "cache-control": "no-cache",
        "content-security-policy": POLICY + config.frame_ancestors,
        "cross-origin-opener-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }


def _file(request: Request, found: Path) -> Response:
    headers = _headers(request.app.state.config)
    return FileResponse(found, media_type=TYPES[found.suffix], headers=headers)


async def home(_request: Request) -> Response:
    return RedirectResponse("/app", 307)


async def index(request: Request) -> Response:
    """The one document; its modules read the path."""
    return _file(request, STATIC / "index.html")


async def static(request: Request) -> Response:
    found = FILES.get(request.path_params["path"])
    if found is None:
        raise Problem("not_found", "there is no such file")
    return _file(request, found)


async def settings(request: Request) -> Response:
    """What the page cannot learn from the API: the copilot's address, the plans and roles, and
    whether there is a session. A cookie that is no longer good goes."""
    config: Config = request.app.state.config
    signed_in = await _session(request, ends=False)
    body = {
        "copilot_url": config.copilot_url,
        "sandbox": config.sandbox,
        "signed_in": signed_in,
        "plans": [_plan(plan) for plan in PLANS.values()],
        "roles": {role: sorted(may) for role, may in PERMISSIONS.items()},
    }
    answer = JSONResponse(body, headers=_headers(config))
    if COOKIE in request.cookies and not signed_in:
        _forget(answer)
    return answer


async def _session(request: Request, *, ends: bool) -> bool:
    """Whether the cookie's session still holds; `ends` it."""
    state = request.app.state
    secret = request.cookies.get(COOKIE)
    if not secret:
        return False
    async with state.lock:
        with state.store.transaction(state.config.clock()) as tx:
            token = tx.natural(NOWHERE, "token", hashed(secret))
            if token is None or token["kind"] != "session":
                return False
            if ends:
                tx.delete(token)
            member = tx.find(token["workspace"], "member", token["member"])
            return member is not None and datetime.fromisoformat(token["expires"]) > tx.now


def _forget(answer: Response) -> None:
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "name": plan.name, "seats": plan.seats, "members": plan.members, "events": plan.events,
        "retention_days": plan.retention_days, "connections": plan.connections,
        "interval_min": plan.interval_min, "dashboards": plan.dashboards, "alerts": plan.alerts,
        "price": list(plan.price), "features": sorted(plan.features), "api_keys": plan.api_keys,
        "identity_providers": IDENTITY_PROVIDERS[plan.name], "csv_bytes": plan.csv_bytes,
        "audit_days": plan.audit_days, "alert_check_min": ALERT_CHECK_MIN[plan.name],
    }  # fmt: skip


async def sign_out(request: Request) -> Response:
    """Ends the session of the cookie and takes the cookie away."""
    await _session(request, ends=True)
    answer = Response(status_code=204, headers=_headers(request.app.state.config))
    _forget(answer)
    return answer


routes.add_route("/", home, methods=["GET"])
routes.add_route("/app/config.json", settings, methods=["GET"])
routes.add_route("/app/sign-out", sign_out, methods=["POST"])
routes.add_route("/app/static/{path:path}", static, methods=["GET"])
for _path in ("/app", "/app/{path:path}", "/join"):
    routes.add_route(_path, index, methods=["GET"])
