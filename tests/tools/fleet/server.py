"""Fleet: a second product with a style of its own, a real server that counts its effects.

camelCase, JSON:API-like envelopes, an API key, errors as {"error": {...}}; no ETags and no
idempotency keys. Faults are queued and used up in order, each before or after the effect.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from typing_extensions import override

API_KEY = "fk_tests"
POLICY = Path(__file__).with_name("tools.yaml")
PAGE = 2
Handler = Callable[[Request], Awaitable[Response]]


class Dropped(Response):
    """Closes the connection where an answer is awaited."""

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"9")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        raise ConnectionResetError("dropped on purpose")


@dataclass
class Fleet:
    """What the server knows. `faults` are (when, answer) with when = before | after the effect."""

    projects: dict[str, dict[str, Any]] = field(default_factory=dict)
    announcements: list[dict[str, Any]] = field(default_factory=list)
    manifests: list[dict[str, Any]] = field(default_factory=list)
    vehicles: dict[str, dict[str, Any]] = field(default_factory=dict)
    effects: list[str] = field(default_factory=list)
    faults: deque[tuple[str, Callable[[], Response]]] = field(default_factory=deque)
    made: int = 0
    requests: list[str] = field(default_factory=list)

    def fail(self, when: str, make: Callable[[], Response]) -> None:
        self.faults.append((when, make))

    def fault(self, when: str) -> Response | None:
        if self.faults and self.faults[0][0] == when:
            return self.faults.popleft()[1]()
        return None

    def app(self) -> Starlette:
        base = "/api/v2/organizations/{org}"
        one = f"{base}/projects/{{id}}"
        routes = [
            Route(f"{base}/projects", self._guarded(self._list), methods=["GET"]),
            Route(f"{base}/projects", self._guarded(self._create), methods=["POST"]),
            Route(one, self._guarded(self._get), methods=["GET"]),
            Route(one, self._guarded(self._patch), methods=["PATCH"]),
            Route(one, self._guarded(self._delete), methods=["DELETE"]),
            Route(f"{base}/announcements", self._guarded(self._announce), methods=["POST"]),
            Route(f"{base}/manifests", self._guarded(self._upload), methods=["POST"]),
            Route(f"{base}/vehicles/{{vin}}", self._guarded(self._vehicle), methods=["PUT"]),
        ]
        return Starlette(routes=routes)

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            self.requests.append(f"{request.method} {request.url.path}")
            if request.headers.get("x-api-key") != API_KEY:
                return problem(401, "unauthenticated", "no or wrong API key")
            if request.path_params["org"] != "org-1":
                return problem(403, "forbidden", "another organization")
            writes = request.method != "GET"
            before = self.fault("before") if writes else None
            answer = before or await handler(request)
            return (self.fault("after") if writes else None) or answer

        return guarded

    async def _list(self, request: Request) -> Response:
        wanted = request.query_params.get("filter[name]")
        status = request.query_params.get("status")
        found = [
            p
            for p in self.projects.values()
            if wanted in (None, p["attributes"]["name"])
            and status in (None, p["attributes"]["status"])
        ]
        start = int(request.query_params.get("page[cursor]", "0"))
        following = str(start + PAGE) if start + PAGE < len(found) else None
        return JSONResponse({"data": found[start : start + PAGE], "links": {"next": following}})

    async def _create(self, request: Request) -> Response:
        attributes = (await request.json())["data"]["attributes"]
        if any(p["attributes"]["name"] == attributes["name"] for p in self.projects.values()):
            return problem(409, "nameTaken", "a project has that name")
        self.made += 1
        id = f"prj-{self.made}"
        made = {"status": "planned", "budget": None, "externalRef": None, **attributes}
        self.projects[id] = {"id": id, "type": "project", "attributes": made}
        self.effects.append(f"create {id}")
        return JSONResponse({"data": self.projects[id]}, status_code=201)

    async def _get(self, request: Request) -> Response:
        project = self.projects.get(request.path_params["id"])
        return JSONResponse({"data": project}) if project else missing()

    async def _patch(self, request: Request) -> Response:
        project = self.projects.get(request.path_params["id"])
        if project is None:
            return missing()
        assert request.headers["content-type"] == "application/merge-patch+json"
        project["attributes"].update(await request.json())
        self.effects.append(f"patch {project['id']}")
        return JSONResponse({"data": project})

    async def _delete(self, request: Request) -> Response:
        id = request.path_params["id"]
        if self.projects.pop(id, None) is None:
            return missing()
        self.effects.append(f"delete {id}")
        return Response(status_code=204)

    async def _announce(self, request: Request) -> Response:
        form = await request.form()
        self.announcements.append(
            {"subject": form["subject"], "audience": form.getlist("audience")}
        )
        self.effects.append("announce")
        return JSONResponse({"data": {"id": f"ann-{len(self.announcements)}"}}, status_code=202)

    async def _upload(self, request: Request) -> Response:
        async with request.form() as form:
            file, note = form["file"], form.get("note")
            assert not isinstance(file, str)
            content = (await file.read()).decode()
            self.manifests.append({"name": file.filename, "content": content, "note": note})
        self.effects.append("upload")
        return JSONResponse({"data": {"id": f"man-{len(self.manifests)}"}}, status_code=201)

    async def _vehicle(self, request: Request) -> Response:
        vin = request.path_params["vin"]
        self.vehicles[vin] = await request.json()
        self.effects.append(f"vehicle {vin}")
        return JSONResponse({"data": {"id": vin, **self.vehicles[vin]}})


def problem(status: int, kind: str, message: str, **headers: str) -> JSONResponse:
    return JSONResponse({"error": {"type": kind, "message": message}}, status, headers)


def missing() -> Response:
    return problem(404, "notFound", "there is no such project")


def moved() -> Response:
    return RedirectResponse("http://169.254.169.254/latest/meta-data", status_code=302)
