"""The OpenAPI document is an interface: it changes only together with its snapshot."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from embark import __version__
from tests.api.serving import app_of
from tests.api.twin import ScriptedAssistant

SNAPSHOT = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_snapshot_is_what_the_server_says() -> None:
    described = app_of(ScriptedAssistant(), version=__version__).openapi()
    recorded = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert recorded == described, "run `embark openapi --to docs/openapi.json` and read the diff"


async def test_the_document_is_served_and_names_every_endpoint() -> None:
    transport = httpx.ASGITransport(app_of(ScriptedAssistant()))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        found = (await client.get("/openapi.json")).json()
    assert found["openapi"].startswith("3.1")
    assert set(found["paths"]) == {
        "/.well-known/jwks.json",
        "/livez",
        "/pages/{path}",
        "/readyz",
        "/startupz",
        "/v1/actions",
        "/v1/actions/{action_id}",
        "/v1/actions/{action_id}/cancel",
        "/v1/actions/{action_id}/resolve",
        "/v1/actions/{action_id}/retry",
        "/v1/actions/{action_id}/undo",
        "/v1/agui",
        "/v1/agui/capabilities",
        "/v1/agui/threads/{thread_id}/events",
        "/v1/approvals",
        "/v1/approvals/{action_id}",
        "/v1/approvals/{action_id}/decision",
        "/v1/audit",
        "/v1/batch",
        "/v1/connectors",
        "/v1/connectors/{connector}/kill",
        "/v1/connectors/{connector}/restore",
        "/v1/conversations/{thread_id}",
        "/v1/decisions",
        "/v1/decisions/export",
        "/v1/erasures/{erasure_id}",
        "/v1/events",
        "/v1/group",
        "/v1/holds",
        "/v1/identify",
        "/v1/guides/media/{name}",
        "/v1/me",
        "/v1/me/consents",
        "/v1/me/export",
        "/v1/me/messages",
        "/v1/me/messages/wishes",
        "/v1/me/messages/{delivery}/touch",
        "/v1/me/guides",
        "/v1/me/guides/{guide}",
        "/v1/me/kits",
        "/v1/me/kits/{name}",
        "/v1/me/mode",
        "/v1/me/muted/{action}",
        "/v1/me/next-steps",
        "/v1/me/next-steps/{decision}/{action}",
        "/v1/me/personalisation",
        "/v1/me/presence",
        "/v1/me/profile",
        "/v1/me/profile/{name}",
        "/v1/me/profile/{name}/inference",
        "/v1/me/profile/{name}/question",
        "/v1/me/questions",
        "/v1/me/questions/{question}",
        "/v1/page",
        "/v1/passages/{chunk_id}",
        "/v1/receipts",
        "/v1/receipts/{receipt_id}",
        "/v1/receipts/{receipt_id}/jws",
        "/v1/sessions",
        "/v1/sessions/current",
        "/v1/staff/callback",
        "/v1/staff/me",
        "/v1/staff/sign-in",
        "/v1/staff/sign-out",
        "/v1/subjects/{subject}",
        "/v1/subjects/{subject}/consents",
        "/v1/subjects/{subject}/export",
        "/v1/subjects/{subject}/hold",
        "/v1/subjects/{subject}/profile",
        "/v1/suggestions",
        "/v1/tools",
        "/v1/track",
        "/v1/unsubscribe/{token}",
        "/v1/webhooks/deliveries",
        "/v1/webhooks/host",
    }
    stream = found["paths"]["/v1/agui"]["post"]["responses"]
    assert list(stream["200"]["content"]) == ["text/event-stream"]
    problem = {"$ref": "#/components/schemas/ProblemBody"}
    for code in ("409", "413", "422", "429", "503"):
        assert stream[code]["content"]["application/problem+json"]["schema"] == problem
