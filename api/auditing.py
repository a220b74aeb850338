"""What staff read of others is written down before it is handed out, or it is not handed out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fastapi import Request

from api.errors import Problem, ProblemError
from guardrails.audit import AuditLog, Note, What, named, new_request_id
from tools.types import Actor

SELF = "self"
"""Who exported or erased what is their own: the row names them once, as whom it is about, and that
name goes when they are erased."""
REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
"""Of a header that a proxy may set; any other is replaced."""


@dataclass(frozen=True, slots=True)
class Auditing:
    """Without a log nothing of others is handed out."""

    log: AuditLog | None

    async def note(self, request: Request, actor: Actor, what: What, *about: str | None) -> None:
        """A row about each of these people, one about nobody in particular where none is named.

        Raises ProblemError and StoreUnavailableError: the caller hands out nothing then.
        """
        if self.log is None:
            detail = "nobody writes down here what staff read, so nothing of others is shown"
            raise ProblemError(Problem(503, "audit_unavailable", detail))
        route, request_id = f"{request.method} {_template(request)}", request_id_of(request)
        for whom in dict.fromkeys(about or (None,)):
            person = None if whom is None else named(whom)
            who = named(actor.subject)
            await self.log.write(Note(actor.tenant, who, what, person, route, request_id))

    async def note_self(self, request: Request, actor: Actor, what: What) -> None:
        """A row of what somebody does with all that is their own. Without a log there is none, and
        they may all the same. Raises StoreUnavailableError."""
        if self.log is not None:
            route, request_id = f"{request.method} {_template(request)}", request_id_of(request)
            about = named(actor.subject)
            await self.log.write(Note(actor.tenant, SELF, what, about, route, request_id))

    async def note_others(self, request: Request, actor: Actor, what: What, *about: str) -> None:
        """As `note`, of staff who read of others than themselves; nothing else is written."""
        others = [whom for whom in about if whom != actor.subject]
        if actor.staff and others:
            await self.note(request, actor, what, *others)


def request_id_of(request: Request) -> str:
    """What a proxy calls this request, else a new id."""
    given = request.headers.get("x-request-id", "")
    return given if REQUEST_ID.fullmatch(given) else new_request_id()


def _template(request: Request) -> str:
    """The route as it is declared: no value of anybody."""
    return str(request.scope["route"].path)
