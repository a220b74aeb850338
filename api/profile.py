"""A person's profile over HTTP: what is known and thought of them, in plain words, and theirs to
correct, to delete, and to switch off. One question at a time asks for what would help most.

What is changed counts from the next decision on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AwareDatetime, ConfigDict, Field

from api.auditing import Auditing
from api.context import Context
from api.errors import ConflictError, InputError, NotHereError
from api.identity import SignedIn
from api.openapi import problem
from api.rights import Subject
from api.schemas import Wire
from api.staff import SUBJECTS_READ, staff_with
from guardrails.audit import What
from onboarding.profile import (
    Line,
    NoSuchFactError,
    NoSuchValueError,
    NotAskedError,
    Offer,
    ask,
)
from onboarding.store.profile.desk import ProfileDesk
from onboarding.store.profile.parts import Page
from onboarding.types import Person
from tools.types import Actor

FactName = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_.]{0,79}$")]
Value = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:/#+-]{0,99}$")]
Session = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]
Locale = Annotated[str, Query(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$", max_length=35)]
RESPONSES: dict[int | str, dict[str, Any]] = {
    401: problem("Nobody is signed in"),
    403: problem("Without the right"),
    404: problem("Not here, or not for this person"),
    422: problem("A value that does not fit"),
    503: problem("The database does not answer"),
}
_PRIVATE = "no-store"


class Choice(Wire):
    """A value that a fact may be corrected to, and how it is called."""

    value: str
    label: str


class OriginBody(Wire):
    """An event, or a question, behind a fact; its name and time while it is still stored."""

    id: str
    event: str | None
    at: AwareDatetime | None


class FactLine(Wire):
    """One thing that is known, or thought. `source` is who says it: the person, an import, or an
    inference; `used` is False where it is not sure enough to be acted on. `expects` is what a
    belief says will happen next. `madeBy` names the version of the model or rules, or the way in
    which it was said; `origins` are what it goes back to."""

    name: str
    says: str
    value: str
    source: str
    confidence: float
    why: list[str]
    used: bool
    since: AwareDatetime
    expires: AwareDatetime | None
    evidence: list[str]
    choices: list[Choice]
    expects: str | None
    made_by: str
    origins: list[OriginBody]


class ProfileBody(Wire):
    """`alignment` says how much better beliefs predicted than what is usual, from five tests on;
    below 0 over ten of them beliefs are not `trusted`. `notInferred` are names left alone,
    `notAsked` those that no question is asked about."""

    personalised: bool
    facts: list[FactLine]
    not_inferred: list[str]
    not_asked: list[str]
    alignment: float | None
    trusted: bool


class CorrectionInput(Wire):
    """One of the fact's choices."""

    model_config = ConfigDict(extra="forbid")

    value: Value


class InferenceInput(Wire):
    """False: do not infer this of me."""

    model_config = ConfigDict(extra="forbid")

    allowed: bool


class AskingInput(Wire):
    """False: do not ask me for this."""

    model_config = ConfigDict(extra="forbid")

    allowed: bool


class PersonalisationInput(Wire):
    """False: nothing is inferred and nothing stored is used."""

    model_config = ConfigDict(extra="forbid")

    on: bool


class QuestionBody(Wire):
    """`offered` is a value to confirm, where one is known well enough; `asks` fits that. `session`
    goes back with the reply."""

    id: str
    session: str
    fact: str
    asks: str
    why: str
    offered: str | None
    choices: list[Choice]


class QuestionsBody(Wire):
    """None where no question pays now."""

    question: QuestionBody | None


class ReplyInput(Wire):
    """`value` null skips the question, for good where it is `never` to come again."""

    model_config = ConfigDict(extra="forbid")

    session: Session
    value: Value | None = None
    never: bool = False


def router(context: Context, desk: ProfileDesk | None) -> APIRouter:
    """`/v1/me/profile`, `/v1/me/personalisation`, `/v1/me/questions` and, for staff,
    `/v1/subjects/{subject}/profile`. Without a desk nobody has a profile."""
    routes = APIRouter(prefix="/v1", tags=["profile"], responses=RESPONSES)
    _add_reading(routes, context, desk)
    _add_edits(routes, desk)
    _add_questions(routes, desk)
    return routes


def _add_reading(routes: APIRouter, context: Context, desk: ProfileDesk | None) -> None:
    auditing = Auditing(context.acts.audit)

    @routes.get("/me/profile", summary="What is known and thought of the caller, and why")
    async def profile(response: Response, actor: SignedIn, locale: Locale = "en") -> ProfileBody:
        response.headers["cache-control"] = _PRIVATE
        return _body(await _desk(desk).page(_person(actor), locale))

    @routes.get("/subjects/{subject}/profile", summary="The same of a person, for staff")
    async def of_subject(
        request: Request,
        response: Response,
        subject: Subject,
        actor: Annotated[Actor, Depends(staff_with(SUBJECTS_READ))],
        locale: Locale = "en",
    ) -> ProfileBody:
        open_ = _desk(desk)
        await auditing.note(request, actor, What.READ_SUBJECT, subject)
        response.headers["cache-control"] = _PRIVATE
        return _body(await open_.page(Person(actor.tenant, subject), locale))


def _add_edits(routes: APIRouter, desk: ProfileDesk | None) -> None:
    @routes.put("/me/profile/{name}", summary="Correct a fact or belief")
    async def correct(
        name: FactName, body: CorrectionInput, actor: SignedIn, locale: Locale = "en"
    ) -> ProfileBody:
        open_, person = _desk(desk), _person(actor)
        with _explained():
            await open_.correct(person, name, body.value)
        return _body(await open_.page(person, locale))

    @routes.delete("/me/profile/{name}", summary="Delete a fact or belief")
    async def delete(name: FactName, actor: SignedIn, locale: Locale = "en") -> ProfileBody:
        open_, person = _desk(desk), _person(actor)
        with _explained():
            await open_.delete(person, name)
        return _body(await open_.page(person, locale))

    @routes.put("/me/profile/{name}/inference", summary="Whether this may be inferred")
    async def inference(
        name: FactName, body: InferenceInput, actor: SignedIn, locale: Locale = "en"
    ) -> ProfileBody:
        open_, person = _desk(desk), _person(actor)
        with _explained():
            await open_.allow_inference(person, name, allowed=body.allowed)
        return _body(await open_.page(person, locale))

    @routes.put("/me/profile/{name}/question", summary="Whether this may be asked for")
    async def asking(
        name: FactName, body: AskingInput, actor: SignedIn, locale: Locale = "en"
    ) -> ProfileBody:
        open_, person = _desk(desk), _person(actor)
        with _explained():
            await open_.allow_question(person, name, allowed=body.allowed)
        return _body(await open_.page(person, locale))

    @routes.put("/me/personalisation", summary="Switch personalisation off or on as a whole")
    async def personalisation(
        body: PersonalisationInput, actor: SignedIn, locale: Locale = "en"
    ) -> ProfileBody:
        open_, person = _desk(desk), _person(actor)
        await open_.personalise(person, on=body.on)
        return _body(await open_.page(person, locale))


def _add_questions(routes: APIRouter, desk: ProfileDesk | None) -> None:
    @routes.get("/me/questions", summary="The one question that would help most now, if any does")
    async def question(
        actor: SignedIn,
        session: Annotated[str, Query(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")],
        locale: Locale = "en",
    ) -> QuestionsBody:
        """Asking again in the same session gives the same question while it is open."""
        open_ = _desk(desk)
        offer = await open_.question(_person(actor), session, rights=actor.rights)
        if offer is None:
            return QuestionsBody(question=None)
        return QuestionsBody(question=_question(open_, offer, session, locale))

    @routes.post("/me/questions/{question}", status_code=204, summary="Answer or skip it")
    async def reply(
        question: Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,39}$")],
        body: ReplyInput,
        actor: SignedIn,
    ) -> Response:
        open_ = _desk(desk)
        if body.never and body.value is not None:
            raise InputError("/never", "what is answered is not asked again")
        with _explained():
            said = (body.session, question, body.value)
            await open_.reply(_person(actor), *said, never=body.never)
        return Response(status_code=204)


def _desk(desk: ProfileDesk | None) -> ProfileDesk:
    if desk is None:
        raise NotHereError("profiles_off", "nobody has a profile here")
    return desk


def _person(actor: Actor) -> Person:
    return Person(actor.tenant, actor.subject, actor.principal.account or None)


@contextmanager
def _explained() -> Iterator[None]:
    """Errors of the desk as problems."""
    try:
        yield
    except NoSuchFactError as failure:
        detail = "there is no fact or belief of this name"
        raise NotHereError("no_such_fact", detail) from failure
    except NoSuchValueError as failure:
        raise InputError("/value", str(failure)) from failure
    except NotAskedError as failure:
        raise ConflictError("not_asked", str(failure)) from failure


def _body(page: Page) -> ProfileBody:
    return ProfileBody(
        personalised=not page.told.off,
        facts=[_line(line) for line in page.told.lines],
        not_inferred=list(page.told.quiet),
        not_asked=list(page.told.unasked),
        alignment=None if page.alignment is None else round(page.alignment, 3),
        trusted=page.trusted,
    )


def _line(line: Line) -> FactLine:
    return FactLine(
        name=line.name,
        says=line.says,
        value=line.value,
        source=line.source.value,
        confidence=round(line.confidence, 3),
        why=list(line.why),
        used=line.used,
        since=line.since,
        expires=line.expires,
        evidence=list(line.evidence),
        choices=[Choice(value=value, label=label) for value, label in line.choices.items()],
        expects=line.prediction,
        made_by=line.made_by,
        origins=[OriginBody(**each._asdict()) for each in line.origins],
    )


def _question(desk: ProfileDesk, offer: Offer, session: str, locale: str) -> QuestionBody:
    asked = ask(offer, desk.words, locale)
    return QuestionBody(
        id=asked.id,
        session=session,
        fact=asked.fact,
        asks=asked.asks,
        why=asked.why,
        offered=asked.offered,
        choices=[Choice(value=value, label=label) for value, label in asked.choices.items()],
    )
