"""Starter kits over HTTP: which fits the caller and why, what it would make beside what is there,
and the card that makes it.

Nothing is made here: the card is decided on like any other, below `/v1/approvals`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import ConfigDict, Field, JsonValue

from api.acting_schemas import Approval
from api.acts import Acts
from api.approvals import IdempotencyKey, approval_of
from api.context import Context
from api.errors import ConflictError, InputError, NotHereError, Problem, ProblemError
from api.guidance import Locale
from api.identity import SignedIn
from api.openapi import problem
from api.schemas import Wire
from onboarding.journeys import Editable, Edits, Kit, said
from onboarding.types import UNKNOWN, Fact, Person
from tools.acting import BadCallError, Request
from tools.canonical import new_id
from tools.flows import KitTool, Proposed
from tools.tool import RejectedError
from tools.types import Actor, ToolCall

RESPONSES: dict[int | str, dict[str, Any]] = {
    401: problem("Nobody is signed in"),
    403: problem("The host product does not let the caller do that"),
    404: problem("There are no kits here, or none of this name for the caller"),
    409: problem("Nothing is left to make, or the host product refuses"),
    422: problem("A value that does not fit"),
    503: problem("The database or the host product does not answer"),
}
FITS_BY = ("industry", "role")
"""Facts that pick a kit: whose values are its industry and its persona."""
KitName = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]


class KitReasonBody(Wire):
    """A fact that spoke for the kit; `source` is who says it."""

    fact: str
    value: str
    source: str
    confidence: float


class KitBody(Wire):
    """`fits` is the one for the caller's industry and role."""

    name: str
    version: int
    title: str
    industry: str
    persona: str
    fits: bool


class KitsBody(Wire):
    """`why` is empty where too little is known, or the caller did not agree to its use. `mayApply`
    is whether the host product lets them."""

    kits: list[KitBody]
    why: list[KitReasonBody]
    may_apply: bool


class KitValueBody(Wire):
    """A default that the caller may edit."""

    key: str
    label: str
    type: Literal["integer", "text", "choice", "emails"]
    default: JsonValue
    minimum: int | None
    maximum: int | None
    choices: list[str]
    unit: str


class KitItemBody(Wire):
    """One thing that the kit makes. `there` says what stands in the product already: nothing of
    this name, something else of it, or just this. `whyNot` is empty for what would be made."""

    id: str
    kind: Literal["dashboard", "mail", "alert"]
    title: str
    name: str
    call: dict[str, JsonValue]
    there: Literal["new", "named", "same"]
    made: bool
    why_not: str


class KitPlaybookBody(Wire):
    id: str
    title: str
    steps: list[str]


class KitNoteBody(Wire):
    """What the industry's rules ask for, and where they say so."""

    id: str
    text: str
    source: str


class KitPlanBody(Wire):
    """A kit with its defaults, beside what the product has now."""

    name: str
    version: int
    title: str
    industry: str
    persona: str
    values: list[KitValueBody]
    items: list[KitItemBody]
    playbooks: list[KitPlaybookBody]
    compliance: list[KitNoteBody]


class KitInput(Wire):
    """What to change of the kit: values by key, names and what is left out by item. Without
    `leaveOut` what is there already is left out."""

    model_config = ConfigDict(extra="forbid")

    values: dict[Key, JsonValue] = Field(default_factory=dict, max_length=50)
    names: dict[Key, Annotated[str, Field(min_length=1, max_length=100)]] = Field(
        default_factory=dict, max_length=50
    )
    leave_out: list[Key] | None = Field(default=None, max_length=50)


def router(context: Context) -> APIRouter:
    """`/v1/me/kits`."""
    routes = APIRouter(prefix="/v1/me/kits", tags=["guidance"], responses=RESPONSES)
    acts = context.acts

    @routes.get("", summary="Starter kits, and which fits the caller")
    async def kits(actor: SignedIn, locale: Locale) -> KitsBody:
        tool = _tool(acts)
        facts = await _facts(acts, actor)
        fitting = tool.kit_for(*(fact.value for fact in facts)) if facts else None
        return KitsBody(
            kits=[_kit(kit, locale, fits=kit is fitting) for kit in tool.kits],
            why=[_reason(fact) for fact in facts if fitting is not None],
            may_apply=_may(acts, actor, tool),
        )

    @routes.get("/{name}", summary="What a kit would make for the caller")
    async def kit(name: KitName, actor: SignedIn, locale: Locale) -> KitPlanBody:
        tool, found = _found(acts, actor, name)
        plain = await tool.proposal(found, Edits(), actor.principal)
        same = {each.item.id for each in plain if each.standing == "same"}
        items = await tool.proposal(found, Edits(leave_out=same), actor.principal)
        return _plan(found, items, locale)

    @routes.post("/{name}", summary="The card that applies a kit, with the caller's edits")
    async def card(
        name: KitName,
        body: KitInput,
        actor: SignedIn,
        idempotency_key: IdempotencyKey = None,
    ) -> Approval:
        tool, found = _found(acts, actor, name)
        call = ToolCall(tool.manifest.name, tool.manifest.version, _arguments(found, body))
        key = _key(actor, name, idempotency_key)
        with _told(body):
            action = await acts.desk.prepare(Request(call, actor, key))
        return await approval_of(acts, action, actor)

    return routes


def _tool(acts: Acts) -> KitTool:
    """The one that applies kits. Raises NotHereError."""
    named = (acts.catalogue.tool(manifest.name) for manifest in acts.catalogue.manifests())
    found = next((tool for tool in named if isinstance(tool, KitTool)), None)
    if found is None:
        raise NotHereError("kits_off", "there are no starter kits here")
    return found


def _may(acts: Acts, actor: Actor, tool: KitTool) -> bool:
    return any(each.name == tool.manifest.name for each in acts.desk.offered(actor))


def _found(acts: Acts, actor: Actor, name: str) -> tuple[KitTool, Kit]:
    """Raises NotHereError."""
    tool = _tool(acts)
    kit = next((each for each in tool.kits if each.name == name), None)
    if kit is None or not _may(acts, actor, tool):
        raise NotHereError("unknown_kit", "there is no such kit for you")
    return tool, kit


async def _facts(acts: Acts, actor: Actor) -> list[Fact]:
    """What picks a kit, all of it; nothing where one is not known surely enough."""
    if acts.profiles is None:
        return []
    person = Person(actor.tenant, actor.subject, actor.principal.account or None)
    profile = await acts.profiles.guided(person)
    if profile is None or any(profile.value(name) == UNKNOWN for name in FITS_BY):
        return []
    return [profile.facts[name] for name in FITS_BY]


def _kit(kit: Kit, locale: str, *, fits: bool) -> KitBody:
    return KitBody(
        name=kit.name,
        version=kit.version,
        title=said(kit.title, locale),
        industry=kit.industry,
        persona=kit.persona,
        fits=fits,
    )


def _reason(fact: Fact) -> KitReasonBody:
    return KitReasonBody(
        fact=fact.name, value=fact.value, source=fact.source.value, confidence=fact.confidence
    )


def _plan(kit: Kit, items: tuple[Proposed, ...], locale: str) -> KitPlanBody:
    return KitPlanBody(
        name=kit.name,
        version=kit.version,
        title=said(kit.title, locale),
        industry=kit.industry,
        persona=kit.persona,
        values=[_value(each, locale) for each in kit.values],
        items=[_item(each, locale) for each in items],
        playbooks=[
            KitPlaybookBody(
                id=book.id,
                title=said(book.title, locale),
                steps=[said(step, locale) for step in book.steps],
            )
            for book in kit.playbooks
        ],
        compliance=[
            KitNoteBody(id=note.id, text=said(note.text, locale), source=note.source)
            for note in kit.compliance
        ],
    )


def _value(value: Editable, locale: str) -> KitValueBody:
    return KitValueBody(
        key=value.key,
        label=said(value.label, locale),
        type=value.type,
        default=value.default,
        minimum=value.minimum,
        maximum=value.maximum,
        choices=list(value.choices),
        unit=said(value.unit, locale),
    )


def _item(item: Proposed, locale: str) -> KitItemBody:
    return KitItemBody.model_validate(
        {
            "id": item.item.id,
            "kind": item.kind,
            "title": said(item.item.title, locale),
            "name": item.name,
            "call": dict(item.call),
            "there": item.standing.value,
            "made": not item.why_not,
            "why_not": item.why_not,
        }
    )


def _arguments(kit: Kit, body: KitInput) -> dict[str, JsonValue]:
    """Raises InputError."""
    if unknown := sorted(body.values.keys() - {value.key for value in kit.values}):
        raise InputError(f"/values/{unknown[0]}", "is no value of this kit")
    names: dict[str, JsonValue] = {**body.names}
    given: dict[str, JsonValue] = {**body.values, "names": names}
    if body.leave_out is not None:
        given["leave_out"] = list(dict.fromkeys(body.leave_out))
    return {**given, "industry": kit.industry, "persona": kit.persona}


def _key(actor: Actor, name: str, given: str | None) -> str:
    parts = "\0".join(("kit", actor.subject, name, given or new_id()))
    return hashlib.sha256(parts.encode()).hexdigest()


@contextmanager
def _told(body: KitInput) -> Iterator[None]:
    """What does not fit, at its place in the body."""
    try:
        yield
    except BadCallError as wrong:
        errors = [
            {"pointer": _pointer(name, body), "detail": detail}
            for name, detail in wrong.errors.items()
        ]
        detail = "the kit does not take that"
        raise ProblemError(Problem(422, "invalid_input", detail, errors)) from wrong
    except RejectedError as refused:
        if refused.code != "nothing_to_make":
            raise
        raise ConflictError("nothing_to_make", refused.detail) from refused


def _pointer(name: str, body: KitInput) -> str:
    if name in body.values:
        return f"/values/{name}"
    return f"/names/{name}" if name in body.names else "/leaveOut"
