"""Every way to be wrong gets a problem document: what, where, and how to mend it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import IntegrityError, OperationalError
from starlette.exceptions import HTTPException

from agent import BadAskError, ConversationsUnavailableError, UnknownThreadError
from api import IdentityUnavailableError, Limits
from api.errors import INTERNAL, RETRY_AFTER_S, problem_of
from retrieval.index import IndexLockedError, NoIndexError, UnknownFieldError
from tests.api.serving import app_of, body
from tests.api.twin import ScriptedAssistant
from tools.journal import (
    ApprovalError,
    FencedOutError,
    JournalUnavailableError,
    UnknownActionError,
)
from tools.tool import BusyError, DriftError, ForbiddenError, UncertainError

JSON = {"content-type": "application/json"}
SMALL = Limits(max_body_bytes=100_000)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app_of(ScriptedAssistant(), SMALL), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as given:
        yield given


def changed(**changes: Any) -> str:
    return json.dumps(body() | changes)


def said(content: Any, **fields: Any) -> str:
    return changed(messages=[{"id": "u1", "role": "user", "content": content} | fields])


BODIES: list[tuple[str, str | bytes, int, str, str | None]] = [
    ("empty", b"", 422, "invalid_input", "/"),
    ("no json", b"{", 400, "malformed_json", None),
    ("bytes", b"\xff\xfe", 400, "malformed_json", None),
    ("deep", b"[" * 50_000, 400, "bad_request", None),
    ("array", b"[]", 422, "invalid_input", "/"),
    ("null", b"null", 422, "invalid_input", "/"),
    ("nothing", b"{}", 422, "invalid_input", "/threadId"),
    ("no messages", changed(messages=[]), 422, "invalid_input", "/messages"),
    ("messages object", changed(messages={}), 422, "invalid_input", "/messages"),
    ("unknown role", said("x", role="root"), 422, "invalid_input", "/messages/0"),
    ("no user", said("x", role="assistant"), 422, "invalid_input", "/messages"),
    ("blank", said(" \n\t "), 422, "invalid_input", "/messages/0/content"),
    ("only NUL", said("\0"), 422, "invalid_input", "/messages/0/content"),
    ("lone surrogate", said("\ud800"), 422, "invalid_input", "/messages/0/content"),
    ("no text part", said([]), 422, "invalid_input", "/messages/0/content"),
    ("content number", said(7), 422, "invalid_input", "/messages/0/user/content/str"),
    ("message id", said("x", id="../../etc"), 422, "invalid_input", "/messages/0/id"),
    ("long message id", said("x", id="a" * 129), 422, "invalid_input", "/messages/0/id"),
    ("thread empty", changed(threadId=""), 422, "invalid_input", "/threadId"),
    ("thread path", changed(threadId="a/b"), 422, "invalid_input", "/threadId"),
    ("thread newline", changed(threadId="a\n"), 422, "invalid_input", "/threadId"),
    ("thread long", changed(threadId="a" * 129), 422, "invalid_input", "/threadId"),
    ("thread number", changed(threadId=7), 422, "invalid_input", "/threadId"),
    ("run null", changed(runId=None), 422, "invalid_input", "/runId"),
    ("large message", said("ä" * 16_385), 413, "too_large", None),
    ("large body", said("x" * 100_001), 413, "too_large", None),
]


@pytest.mark.parametrize(
    ("sent", "status", "code", "pointer"), [row[1:] for row in BODIES], ids=[r[0] for r in BODIES]
)
async def test_a_bad_body(
    client: httpx.AsyncClient, sent: str | bytes, status: int, code: str, pointer: str | None
) -> None:
    response = await client.post("/v1/agui", content=sent, headers=JSON)
    problem = assert_problem(response, status, code)
    if pointer is not None:
        pointers = [error["pointer"] for error in problem["errors"]]
        assert any(found.startswith(pointer) for found in pointers), pointers
        assert all(error["detail"] for error in problem["errors"])


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_another_media_type(client: httpx.AsyncClient, media_type: str) -> None:
    headers = {"content-type": media_type} if media_type else {}
    response = await client.post("/v1/agui", content=changed().encode(), headers=headers)
    assert_problem(response, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/static/../app.py", 404, "not_found"),
        ("GET", "/static/nothing.js", 404, "not_found"),
        ("DELETE", "/v1/agui", 405, "method_not_allowed"),
        ("PUT", "/livez", 405, "method_not_allowed"),
        ("GET", "/v1/conversations/a%0Ab", 422, "invalid_input"),
        ("GET", "/v1/passages/nothing%231", 404, "no_such_passage"),
        ("GET", "/pages/nothing.md", 404, "no_such_page"),
        ("GET", "/pages/", 404, "no_such_page"),
    ],
)
async def test_a_bad_address(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    response = await client.request(method, path)
    assert_problem(response, status, code)
    assert (status == 405) == ("allow" in response.headers)


async def test_an_unknown_host_is_refused() -> None:
    app = app_of(ScriptedAssistant(), allowed_hosts=("docs.example", "[::1]"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        assert_problem(await client.get("http://evil.example/livez"), 400, "unknown_host")
        for host in ("docs.example", "DOCS.example:8000", "[::1]", "[::1]:80"):
            response = await client.get("http://test/livez", headers={"host": host})
            assert response.status_code == 200, host


async def test_what_is_not_foreseen_is_internal_and_tells_nothing() -> None:
    app = app_of(ScriptedAssistant(failure=ZeroDivisionError("secret")))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.post("/v1/agui", json=body())
    assert_problem(response, 500, "internal")
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NoIndexError("x"), 503, "no_index"),
        (IndexLockedError("pid 7"), 503, "index_unavailable"),
        (UnknownFieldError("x", ()), 422, "unknown_filter"),
        (ConversationsUnavailableError("x"), 503, "database_unavailable"),
        (UnknownThreadError("t", "th"), 404, "no_such_thread"),
        (BadAskError("x"), 422, "invalid_input"),
        (OperationalError("s", {}, ValueError()), 503, "database_unavailable"),
        (IntegrityError("s", {}, ValueError()), 500, "internal"),
        (HTTPException(418), 418, "i_m_a_teapot"),
        (JournalUnavailableError("x"), 503, "journal_unavailable"),
        (UnknownActionError("x"), 404, "no_such_action"),
        (FencedOutError("x"), 409, "illegal_move"),
        (ApprovalError("target_changed", "x"), 409, "target_changed"),
        (ForbiddenError("x"), 403, "host_forbids"),
        (DriftError("x"), 409, "host_refuses"),
        (BusyError("x"), 503, "host_unavailable"),
        (UncertainError("x"), 503, "host_unavailable"),
        (IdentityUnavailableError("x"), 503, "identity_unavailable"),
        (ValueError("x"), 500, "internal"),
    ],
)
def test_the_nearest_class_decides(error: Exception, status: int, code: str) -> None:
    problem = problem_of(error)
    assert (problem.status, problem.code) == (status, code)
    if status == 503:
        assert problem.headers["retry-after"] == str(RETRY_AFTER_S)
    assert problem_of(KeyError("x")) is INTERNAL


def assert_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["status"]) == (status, status), problem
    assert problem["code"] == code
    assert problem["type"] == f"urn:embark:problem:{code}"
    assert problem["title"]
    assert problem["detail"]
    return problem
