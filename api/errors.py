"""One table from exceptions to RFC 9457 problem documents; every error of the API leaves here.

ProblemError               raised by the API itself, carries its own Problem
├── InputError             the request is understood and wrong: where, and how to mend it
├── TooLargeError          body or message above its cap
├── BusyError              a cap on streams is reached; says when to come back
├── ConflictError          the thread is in a state that does not allow this
└── NotHereError           no such thread, passage or page

Problems carry a stable `code` for programs and a `detail` for people; never the text that the
person sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from starlette.exceptions import HTTPException

from agent import BadAskError, ConversationError, UnknownThreadError
from guardrails.policy import EntityRefusedError, TurnRefusedError
from guardrails.store import StoreUnavailableError
from retrieval.index import (
    IndexUnavailableError,
    MissingTenantError,
    NoIndexError,
    OutsideScopeError,
    RetrievalError,
    UnknownFieldError,
)
from tools.acting import BadCallError, NoSuchToolError
from tools.gate import StoppedError
from tools.journal import (
    ApprovalError,
    IllegalMoveError,
    JournalError,
    UnknownActionError,
)
from tools.tool import ForbiddenError, NotSentError, RejectedError, ToolError
from tools.vault import KeyDestroyedError

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2  # an index switch or a database failover is over within this, or lasts longer

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem document. `errors` point at what is wrong in the request (RFC 6901)."""

    status: int
    code: str
    detail: str
    errors: Sequence[Mapping[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> JSONResponse:
        body: dict[str, object] = {
            "type": f"urn:embark:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = list(self.errors)
        return JSONResponse(body, self.status, headers=dict(self.headers), media_type=MEDIA_TYPE)


class ProblemError(Exception):
    """An error that knows its problem document."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class InputError(ProblemError):
    """`pointer` is the JSON pointer of the offending value."""

    def __init__(self, pointer: str, detail: str) -> None:
        errors = ({"pointer": pointer, "detail": detail},)
        super().__init__(Problem(422, "invalid_input", detail, errors))


class TooLargeError(ProblemError):
    """`limit` and what it is counted in are named, so that the caller can cut to it."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(
            Problem(413, "too_large", f"{what} is larger than {limit} bytes; send less")
        )


class BusyError(ProblemError):
    """429 when this client holds too many streams, 503 when the server does."""

    def __init__(self, *, client: bool, limit: int) -> None:
        whose = "this client has" if client else "the server has"
        super().__init__(
            Problem(
                429 if client else 503,
                "too_many_streams",
                f"{whose} {limit} open streams, the most there may be; try again shortly",
                headers={"retry-after": str(RETRY_AFTER_S)},
            )
        )


class ConflictError(ProblemError):
    """The request is right in itself but not now, or not on this thread."""

    def __init__(self, code: str, detail: str) -> None:
        headers = {"retry-after": str(RETRY_AFTER_S)}
        super().__init__(Problem(409, code, detail, headers=headers))


class IdentityUnavailableError(Exception):
    """Who this is cannot be told right now: the host product does not answer."""


class NotHereError(ProblemError):
    """What was asked for does not exist, or may not be seen: the two look the same."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(Problem(404, code, detail))


def _unavailable(code: str, detail: str) -> Problem:
    return Problem(503, code, detail, headers={"retry-after": str(RETRY_AFTER_S)})


TABLE: Mapping[type[Exception], Problem] = {
    NoIndexError: _unavailable("no_index", "nothing is indexed yet: run `embark index run`"),
    IndexUnavailableError: _unavailable("index_unavailable", "the index does not answer"),
    UnknownFieldError: Problem(422, "unknown_filter", "the filter names an unknown field"),
    OutsideScopeError: Problem(
        500, "internal", "something went wrong on our side; it has been logged"
    ),
    MissingTenantError: Problem(500, "no_tenant", "the server has no tenant configured"),
    RetrievalError: _unavailable("index_unavailable", "the index does not answer"),
    BadAskError: Problem(422, "invalid_input", "the message cannot be asked as it is"),
    EntityRefusedError: Problem(
        422, "entity_refused", "the message holds personal data of a kind that is not taken here"
    ),
    TurnRefusedError: _unavailable(
        "redaction_unavailable", "personal data cannot be masked right now; nothing was stored"
    ),
    UnknownThreadError: Problem(404, "no_such_thread", "there is no conversation of this id"),
    ConversationError: _unavailable("database_unavailable", "the database does not answer"),
    OperationalError: _unavailable("database_unavailable", "the database does not answer"),
    SQLAlchemyError: Problem(500, "internal", "the database refused a statement"),
    UnknownActionError: Problem(404, "no_such_action", "there is no such action for you"),
    NoSuchToolError: Problem(404, "no_such_tool", "there is no such tool for you"),
    IllegalMoveError: Problem(409, "illegal_move", "the action has moved on: read it again"),
    ApprovalError: Problem(409, "approval_invalid", "the decision was not taken"),
    BadCallError: Problem(422, "invalid_input", "the arguments do not fit the tool"),
    JournalError: _unavailable("journal_unavailable", "the journal of actions does not answer"),
    IdentityUnavailableError: _unavailable(
        "identity_unavailable", "who you are cannot be told right now; nobody was signed out"
    ),
    StoreUnavailableError: _unavailable("database_unavailable", "the database does not answer"),
    KeyDestroyedError: Problem(410, "erased", "what this was about has been erased"),
    ForbiddenError: Problem(403, "host_forbids", "the host product does not let you do that"),
    RejectedError: Problem(409, "host_refuses", "the host product refuses that"),
    StoppedError: Problem(
        503, "connector_stopped", "an operator has stopped what this goes through"
    ),
    NotSentError: _unavailable("host_unavailable", "the host product does not answer"),
    ToolError: _unavailable("host_unavailable", "the host product does not answer as expected"),
}
"""The nearest class in an exception's MRO decides."""

INTERNAL = Problem(500, "internal", "something went wrong on our side; it has been logged")


def problem_of(error: Exception) -> Problem:
    """The problem document of any exception."""
    if isinstance(error, ProblemError):
        return error.problem
    if isinstance(error, HTTPException):
        return _of_http(error)
    if isinstance(error, ApprovalError):
        return _of_approval(error)
    if isinstance(error, BadCallError):
        return _of_call(error)
    return next((TABLE[kind] for kind in type(error).__mro__ if kind in TABLE), INTERNAL)


_APPROVALS: Mapping[str, tuple[int, str]] = {
    "expired": (410, "approval_expired"),
    "wrong_person": (403, "wrong_person"),
    "self_approval": (403, "self_approval"),
    "stale_sign_in": (401, "stale_sign_in"),
}
"""Status and code of an ApprovalError where they are not 409 and its own."""
_STEP_UP = 'Bearer error="insufficient_user_authentication", max_age=300'  # RFC 9470


def _of_approval(error: ApprovalError) -> Problem:
    status, code = _APPROVALS.get(error.code, (409, error.code))
    headers = {"www-authenticate": _STEP_UP} if status == HTTPStatus.UNAUTHORIZED else {}
    return Problem(status, code, str(error), headers=headers)


def _of_call(error: BadCallError) -> Problem:
    errors = [
        {"pointer": f"/editedArgs/{name}" if name else "", "detail": detail}
        for name, detail in error.errors.items()
    ]
    return Problem(422, "invalid_input", "the arguments do not fit the tool", errors)


def _of_http(error: HTTPException) -> Problem:
    phrase = HTTPStatus(error.status_code).phrase
    code = _HTTP_CODE.get(error.status_code, re.sub(r"\W+", "_", phrase.lower()))
    detail = error.detail if error.detail != phrase else _HTTP_DETAIL.get(error.status_code, phrase)
    return Problem(error.status_code, code, detail, headers=dict(error.headers or {}))


_HTTP_CODE = {413: "too_large"}  # its phrase differs between versions of Python
_HTTP_DETAIL = {
    413: "the body is larger than this server takes; send less",
    404: "there is nothing at this address",
    405: "this address does not take that method; `Allow` lists those that it takes",
}


def invalid_request(request: Request, error: RequestValidationError) -> Problem:
    """415 for another media type, 400 for text that is not JSON, else 422 with pointers."""
    found = error.errors()
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    in_body = any(item["loc"][:1] == ("body",) for item in found)
    if in_body and media_type != "application/json":
        return Problem(415, "unsupported_media_type", "send `content-type: application/json`")
    if any(item["type"] == "json_invalid" for item in found):
        return Problem(400, "malformed_json", "the body is not valid JSON")
    errors = [{"pointer": _pointer(item["loc"]), "detail": item["msg"]} for item in found]
    return Problem(422, "invalid_input", "the request does not fit its schema", errors)


def _pointer(location: Sequence[str | int]) -> str:
    where, *parts = [str(part).replace("~", "~0").replace("/", "~1") for part in location]
    return "/" + "/".join(parts if where == "body" else [where, *parts])


def install(app: FastAPI) -> None:
    """Answer every exception of `app` from the table."""

    async def known(_request: Request, error: Exception) -> JSONResponse:
        problem = problem_of(error)
        if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.warning("api.problem", code=problem.code, error=type(error).__name__)
        return problem.response()

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return invalid_request(request, error).response()

    for kind in (ProblemError, HTTPException, *TABLE):
        app.add_exception_handler(kind, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, known)  # Starlette logs and re-raises after it
