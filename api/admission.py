"""What stands before every route: is the credential used where it was given, is there quota left.

429  before any work: by address first, then nobody's or the person's own quota
401  a credential from another origin than the one it is bound to
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fastapi.security.utils import get_authorization_scheme_param
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from api.acts import Acts
from api.errors import ProblemError
from api.events import PATHS
from api.identity import Identify
from api.quotas import Quotas
from api.sessions import CREDENTIAL_PREFIX, SessionDesk, is_bound_to, wrong_origin
from api.staff import StaffDoor
from tools.types import Actor

PREFIX = "/v1/"
"""What costs something; pages, keys and health do not."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Without `desk` there are no widget tokens, without `quotas` no quotas, without `staff` no
    sessions of staff."""

    desk: SessionDesk | None = None
    quotas: Quotas | None = None
    staff: StaffDoor | None = None

    def admitting(self, acts: Acts) -> Acts:
        """The same, with people who sign in by a credential of ours as well; each is counted."""
        identify = _either(self.desk, acts.identify)
        if identify is not None and self.quotas is not None:
            identify = self.quotas.metered(identify)
        return replace(acts, identify=identify)

    @property
    def origins(self) -> tuple[str, ...]:
        """The pages that may call from a browser."""
        return () if self.desk is None else self.desk.origins


def _either(desk: SessionDesk | None, host: Identify | None) -> Identify | None:
    """Our own credentials are never shown to the host."""
    if desk is None:
        return host

    async def identify(token: str) -> Actor | None:
        if token.startswith(CREDENTIAL_PREFIX):
            return await desk(token)
        return await host(token) if host is not None else None

    return identify


SENDING = frozenset(f"{PREFIX}{path}" for path in PATHS)
"""Where a write key in `Basic` names somebody too: a sender of events."""


class Door:
    """ASGI middleware: refuses before a route is looked for."""

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app = app
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            try:
                await self._admit(scope)
            except ProblemError as refused:
                await refused.problem.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _admit(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        scheme, credential = get_authorization_scheme_param(headers.get("authorization"))
        if self._admission.quotas is not None:
            client = scope["client"]
            schemes = {"bearer", "basic"} if scope["path"] in SENDING else {"bearer"}
            given = scheme.lower() in schemes and bool(credential)  # as `HTTPBearer` reads it
            named = given or self._has_cookie(scope)
            await self._admission.quotas.admit(client[0] if client else "", named=named)
        if credential.startswith(CREDENTIAL_PREFIX) and not _is_at_home(credential, headers):
            raise wrong_origin()

    def _has_cookie(self, scope: Scope) -> bool:
        """Whether it names somebody of the staff; who that is, is told and counted later."""
        staff = self._admission.staff
        return staff is not None and bool(staff.cookie(HTTPConnection(scope)))


def _is_at_home(credential: str, headers: Headers) -> bool:
    """A browser leaves `Origin` out only where a page asks its own server: then the host is it."""
    origin, host = headers.get("origin"), headers.get("host", "")
    possible = [f"https://{host}", f"http://{host}"] if origin is None else [origin]
    return any(is_bound_to(credential, each) for each in possible)
