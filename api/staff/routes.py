"""`/v1/staff`: sign in at the provider, who am I, sign out."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import AwareDatetime

from api.context import Context
from api.errors import NotHereError
from api.openapi import problem
from api.schemas import Wire
from api.staff.access import COOKIE, FLOW_COOKIE, StaffDoor, staff_session
from api.staff.desk import Returned, Staff, StaffDesk
from api.staff.sessions import ABSOLUTE, FLOW

PRIVATE = {"cache-control": "no-store"}
SEE_OTHER = 303
RESPONSES: dict[int | str, dict[str, Any]] = {
    401: problem("Nobody of the staff is signed in"),
    403: problem("No role may do anything here, or the CSRF token is missing"),
    404: problem("No provider of staff sign-ins is configured"),
    503: problem("The provider or the database does not answer"),
}
REDIRECT: dict[int | str, dict[str, Any]] = {
    SEE_OTHER: {"description": "On to the next page", "content": {}},
    400: problem("The sign-in was not completed"),
    **RESPONSES,
}
Page = Annotated[
    str,
    Query(
        alias="next",
        max_length=500,
        pattern=r"^/([A-Za-z0-9_.~%?=&#-][A-Za-z0-9_.~%?=&#/-]*)?$",
        description="A page of ours, to go on to",
    ),
]


class StaffBody(Wire):
    """`csrfToken` goes with everything that changes something; null where no cookie is used.
    `expires` is when the session ends if it is not used again."""

    subject: str
    roles: list[str]
    rights: list[str]
    signed_in: AwareDatetime | None
    expires: AwareDatetime
    csrf_token: str | None


def router(context: Context) -> APIRouter:
    """Without a provider there is nowhere to sign in."""
    routes = APIRouter(prefix="/v1/staff", tags=["staff"], responses=RESPONSES)
    _add_sign_in(routes, context.staff)
    _add_callback(routes, context.staff)

    @routes.get("/me", summary="Who is signed in, and may do what")
    async def me(response: Response, staff: Annotated[Staff, Depends(staff_session)]) -> StaffBody:
        response.headers.update(PRIVATE)
        return _body(staff)

    @routes.post("/sign-out", summary="End this session", status_code=204)
    async def sign_out(
        request: Request,
        response: Response,
        staff: Annotated[Staff, Depends(staff_session)],
        everywhere: Annotated[bool, Query(description="In every browser of this person")] = False,
    ) -> None:
        door, desk = _configured(context.staff)
        await desk.sign_out(door.cookie(request))
        if everywhere:
            await desk.sign_out_everywhere(staff)
        response.delete_cookie(
            door.name(COOKIE), secure=door.is_secure, httponly=True, samesite="strict"
        )

    return routes


def _add_sign_in(routes: APIRouter, staff: StaffDoor | None) -> None:
    @routes.get(
        "/sign-in",
        summary="Sign in at the identity provider",
        response_class=RedirectResponse,
        status_code=SEE_OTHER,
        responses=REDIRECT,
    )
    async def sign_in(
        next_page: Page = "/",
        fresh: Annotated[bool, Query(description="Ask for the password again")] = False,
    ) -> RedirectResponse:
        door, desk = _configured(staff)
        begun = await desk.begin(next_page, fresh=fresh)
        answer = RedirectResponse(begun.location, SEE_OTHER, PRIVATE)
        answer.set_cookie(
            door.name(FLOW_COOKIE),
            begun.browser,
            max_age=int(FLOW.total_seconds()),
            secure=door.is_secure,
            httponly=True,
            samesite="lax",  # it comes back with a link from the provider's page
        )
        return answer


def _add_callback(routes: APIRouter, staff: StaffDoor | None) -> None:
    @routes.get(
        "/callback",
        summary="Where the identity provider sends the browser back to",
        response_class=RedirectResponse,
        status_code=SEE_OTHER,
        responses=REDIRECT,
    )
    async def callback(
        request: Request,
        state: Annotated[str, Query(max_length=200)] = "",
        code: Annotated[str | None, Query(max_length=4096)] = None,
        iss: Annotated[str | None, Query(max_length=500)] = None,
    ) -> RedirectResponse:
        door, desk = _configured(staff)
        said, browser = Returned(state, code, iss), door.cookie(request, FLOW_COOKIE)
        signed_in = await desk.finish(said, browser, before=door.cookie(request))
        answer = RedirectResponse(signed_in.next, SEE_OTHER, PRIVATE)
        answer.set_cookie(
            door.name(COOKIE),
            signed_in.cookie,
            max_age=int(ABSOLUTE.total_seconds()),
            secure=door.is_secure,
            httponly=True,
            samesite="strict",
        )
        answer.delete_cookie(
            door.name(FLOW_COOKIE), secure=door.is_secure, httponly=True, samesite="lax"
        )
        return answer


def _configured(door: StaffDoor | None) -> tuple[StaffDoor, StaffDesk]:
    if door is None or door.desk is None:
        raise NotHereError("staff_off", "no identity provider of staff is configured here")
    return door, door.desk


def _body(staff: Staff) -> StaffBody:
    return StaffBody(
        subject=staff.actor.subject,
        roles=list(staff.roles),
        rights=sorted(staff.actor.rights),
        signed_in=staff.actor.auth_time,
        expires=staff.expires,
        csrf_token=staff.csrf or None,
    )
