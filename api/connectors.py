"""The kill switch of connectors over HTTP, for staff: stop what the copilot reaches, at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from pydantic import AwareDatetime

from api.auditing import Auditing
from api.context import Context
from api.errors import NotHereError
from api.openapi import problem
from api.schemas import Wire
from api.staff import CONNECTORS_KILL, staff_with
from guardrails.audit import What
from tools.connectors import ConnectorDesk, Standing, UnknownConnectorError
from tools.types import Actor

RESPONSES: dict[int | str, dict[str, Any]] = {
    401: problem("Nobody is signed in"),
    403: problem("Without the right"),
    404: problem("Not here, or not for this person"),
    503: problem("The journal or the audit log does not answer"),
}
Operator = Annotated[Actor, Depends(staff_with(CONNECTORS_KILL))]
Which = Annotated[
    str, Path(min_length=1, max_length=200, description="A connector; `*` is all of them")
]


class ConnectorBody(Wire):
    """`killed` is since when; null while it works. `credentials` counts people who have any."""

    id: str
    title: str
    killed: AwareDatetime | None
    changed: AwareDatetime | None
    by: str
    credentials: int


class ConnectorsBody(Wire):
    """In the order of the policy file; `*`, once it was used, first."""

    connectors: list[ConnectorBody]


class KilledBody(Wire):
    """How many people's credentials were revoked."""

    revoked: int


def router(context: Context) -> APIRouter:
    """`/v1/connectors`."""
    routes = APIRouter(prefix="/v1/connectors", tags=["connectors"], responses=RESPONSES)
    auditing = Auditing(context.acts.audit)

    @routes.get("", summary="Connectors, and whether they are stopped, for staff")
    async def connectors(actor: Operator) -> ConnectorsBody:
        found = await _desk(context).standings(actor.tenant)
        return ConnectorsBody(connectors=[_body(each) for each in found])

    @routes.post("/{connector}/kill", summary="Stop a connector, revoke its credentials")
    async def kill(request: Request, connector: Which, actor: Operator) -> KilledBody:
        """Stopped first and written down then: nothing may hold it up."""
        with _known():
            revoked = await _desk(context).kill(actor.tenant, connector, actor.subject)
        await auditing.note(request, actor, What.KEY_CHANGE)
        return KilledBody(revoked=revoked)

    @routes.post("/{connector}/restore", summary="Let a connector go on", status_code=204)
    async def restore(request: Request, connector: Which, actor: Operator) -> None:
        desk = _desk(context)
        await auditing.note(request, actor, What.KEY_CHANGE)
        with _known():
            await desk.restore(actor.tenant, connector, actor.subject)

    return routes


def _desk(context: Context) -> ConnectorDesk:
    if context.acts.connectors is None:
        raise NotHereError("acting_off", "nothing can be acted on here: no tools are configured")
    return context.acts.connectors


@contextmanager
def _known() -> Iterator[None]:
    try:
        yield
    except UnknownConnectorError as unknown:
        raise NotHereError("no_such_connector", "there is no such connector") from unknown


def _body(each: Standing) -> ConnectorBody:
    switch = each.switch
    return ConnectorBody(
        id=each.connector.id,
        title=each.connector.title,
        killed=switch.killed,
        changed=switch.changed,
        by=switch.by,
        credentials=each.credentials,
    )
