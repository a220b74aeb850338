"""The one place that says who may do what only staff may: a right, named where it is needed.

    cookie       a session of the provider's, with the rights of its roles; what changes something
                 also carries the session's CSRF token and comes from our own pages
    local token  the same, on one's own machine
    bearer       a person of the host product; whom the host calls staff may do everything here

To anybody but staff what is theirs alone does not exist.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials
from starlette.requests import HTTPConnection

from api.errors import NotHereError, Problem, ProblemError
from api.identity import BEARER, EXPIRED, SignInError, caller_of, signed_in
from api.quotas import Quotas
from api.staff.desk import Staff, StaffDesk
from api.staff.local import PREFIX, LocalStaff
from tools.types import Actor

SUBJECTS_READ, SUBJECTS_ERASE = "subjects:read", "subjects:erase"
DECISIONS_READ, AUDIT_READ = "decisions:read", "audit:read"
CONNECTORS_KILL, APPROVALS = "connectors:kill", "approvals"
RIGHTS = (
    *(SUBJECTS_READ, SUBJECTS_ERASE),
    *(DECISIONS_READ, AUDIT_READ),
    *(CONNECTORS_KILL, APPROVALS),
)
"""What a role may be given here. Rights of the host product stand beside them: who is to approve a
call has those that the call needs."""
COOKIE, FLOW_COOKIE = "embark-staff", "embark-staff-flow"
HOST = "__Host-"
"""Before a cookie's name: browsers then take it over https alone, and from no other host."""
CSRF = "x-csrf-token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_COOKIE = APIKeyCookie(
    name=f"{HOST}{COOKIE}",
    auto_error=False,
    description=f"A staff session. What changes something needs `{CSRF}` of `GET /v1/staff/me` too",
)


@dataclass(frozen=True, slots=True)
class StaffDoor:
    """How staff come in. `origin` is our own, as browsers send it. `local` has a value only where
    nobody else can reach the server."""

    origin: str
    desk: StaffDesk | None = None
    local: LocalStaff | None = None
    quotas: Quotas | None = None

    @property
    def is_secure(self) -> bool:
        return self.origin.startswith("https://")

    def name(self, cookie: str) -> str:
        """Of a cookie of ours: browsers take the prefix over https only."""
        return f"{HOST}{cookie}" if self.is_secure else cookie

    def cookie(self, request: HTTPConnection, name: str = COOKIE) -> str:
        """Empty where there is none."""
        return request.cookies.get(self.name(name), "")

    async def session(self, request: Request) -> Staff | None:
        """By cookie. None when there is none, or it is good for nobody. Raises QuotaError."""
        given = self.cookie(request)
        found = await self.desk.session(given) if self.desk is not None and given else None
        if found is not None and self.quotas is not None:
            await self.quotas.count(found.actor)
        return found

    def check(self, request: Request, staff: Staff) -> None:
        """That our own page sent what changes something. Raises ProblemError."""
        if request.method in _SAFE:
            return
        given = request.headers.get(CSRF, "")
        own = request.headers.get("origin", self.origin) == self.origin
        if not own or not hmac.compare_digest(given.encode(), staff.csrf.encode()):
            detail = f"send the `csrfToken` of GET /v1/staff/me as `{CSRF}`, from our own page"
            raise ProblemError(Problem(403, "csrf", detail))


class _Caller(NamedTuple):
    """`staff` is None for a person of the host's."""

    actor: Actor
    staff: Staff | None


Given = Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
Dependency = Callable[..., Awaitable[Actor]]


async def staff_session(
    request: Request, given: Given, _cookie: Annotated[str | None, Depends(_COOKIE)]
) -> Staff:
    """Whoever of the staff is signed in, whatever they may do. Raises SignInError."""
    found = await _found(request, given)
    if found is None or found.staff is None:
        raise SignInError("sign_in_required", "sign in at /v1/staff/sign-in")
    return found.staff


def staff_with(right: str) -> Dependency:
    """A dependency: somebody of the staff who has this right. Raises ProblemError."""

    async def permitted(
        request: Request, given: Given, _cookie: Annotated[str | None, Depends(_COOKIE)]
    ) -> Actor:
        found = await _found(request, given)
        if found is None:
            raise SignInError("sign_in_required", "sign in at /v1/staff/sign-in")
        if not found.actor.staff:
            raise NotHereError("not_found", "there is nothing at this address")
        return _permitted(found, right)

    return permitted


def person_or_staff_with(right: str) -> Dependency:
    """A dependency: a signed-in person, or somebody of the staff who has this right. Raises
    ProblemError."""

    async def permitted(
        request: Request, given: Given, _cookie: Annotated[str | None, Depends(_COOKIE)]
    ) -> Actor:
        found = await _found(request, given)
        return signed_in(None) if found is None else _permitted(found, right)

    return permitted


def _permitted(found: _Caller, right: str) -> Actor:
    if found.staff is not None and right not in found.actor.rights:
        detail = f"your roles do not include {right!r}"
        raise ProblemError(Problem(403, "right_missing", detail))
    return found.actor


async def _found(request: Request, given: HTTPAuthorizationCredentials | None) -> _Caller | None:
    """A bearer token wins over a cookie: whoever sends one means it."""
    door: StaffDoor | None = request.app.state.context.staff
    if given is not None and given.credentials.startswith(PREFIX):
        staff = (
            None if door is None or door.local is None else door.local.session(given.credentials)
        )
        if staff is None:
            raise SignInError("auth_expired", "this token is not good (any more)", EXPIRED)
        return _Caller(staff.actor, staff)
    actor = await caller_of(request, given)
    if actor is not None:
        return _Caller(actor, None)
    staff = await door.session(request) if door is not None else None
    if door is None or staff is None:
        return None
    door.check(request, staff)
    return _Caller(staff.actor, staff)
