"""Who asks: a bearer token -> a person, or nobody.

No token is nobody in particular, who gets answers only. A token that is not good any more is 401
`auth_expired`, never a silent step down to nobody.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.errors import Problem, ProblemError
from retrieval.types import Scope
from tools.types import Actor

Identify = Callable[[str], Awaitable[Actor | None]]
"""Bearer token -> the person whose it is; None when it is good for nobody. May raise
IdentityUnavailableError."""

BEARER = HTTPBearer(auto_error=False, description="A token of the host product's own sign-in")


class SignInError(ProblemError):
    """401, with the challenge of RFC 6750; `code` for programs."""

    def __init__(self, code: str, detail: str, challenge: str = "Bearer") -> None:
        super().__init__(Problem(401, code, detail, headers={"www-authenticate": challenge}))


async def caller_of(
    request: Request,
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
) -> Actor | None:
    """Raises SignInError."""
    if given is None:
        return None
    context = request.app.state.context
    identify: Identify | None = context.acts.identify
    actor = await identify(given.credentials) if identify is not None else None
    if actor is None or actor.tenant != context.tenant:
        raise SignInError(
            "auth_expired", "this token is not good (any more): sign in again", EXPIRED
        )
    return actor


EXPIRED = 'Bearer error="invalid_token"'
Caller = Annotated[Actor | None, Depends(caller_of)]
"""The signed-in person, None for nobody. Raises SignInError."""


def signed_in(caller: Caller) -> Actor:
    """The signed-in person. Raises SignInError."""
    if caller is None:
        raise SignInError("sign_in_required", "sign in: send `authorization: Bearer TOKEN`")
    return caller


SignedIn = Annotated[Actor, Depends(signed_in)]


def scope_of(viewer: Scope, actor: Actor | None) -> Scope:
    """Through whose eyes: what everybody sees, and what is labelled for this role and plan."""
    if actor is None:
        return viewer
    own = {"role": actor.role, "plan": actor.plan}
    holds = dict(viewer.holds)
    for name, value in own.items():
        if value:
            holds[name] = holds.get(name, frozenset()) | {value}
    return Scope(viewer.tenant, holds, viewer.unrestricted, viewer.narrow)
