"""Next steps over HTTP: the cards, the checklist, and what a person says to a card.

"Not now", "never" and "another path" hold at once and on every device; sending the same again
changes nothing.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Path
from pydantic import AwareDatetime, ConfigDict, Field, JsonValue

from agent.guiding import NextStep, Question
from agent.language import DEFAULT_LOCALE, language
from api.advice import GuideDesk, Snooze, UnknownCardError
from api.context import Context
from api.errors import ConflictError, InputError, NotHereError
from api.identity import SignedIn
from api.openapi import problem
from api.profile import Choice, QuestionBody
from api.schemas import Wire
from onboarding.types import Mode, OutcomeKind
from tools.types import Actor

RESPONSES: dict[int | str, dict[str, Any]] = {
    401: problem("Nobody is signed in"),
    404: problem("Nobody is guided here, or there is no such card"),
    422: problem("A value that does not fit"),
    503: problem("The database does not answer"),
}
DecisionId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{22}$")]
ActionName = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


def locale_of(
    accept_language: Annotated[str, Header(max_length=200)] = DEFAULT_LOCALE,
) -> str:
    """The first language of the header that we speak; English when it is none."""
    tags = (part.partition(";")[0].strip().lower() for part in accept_language.split(","))
    known = (tag for tag in tags if tag and language(tag).locale == tag.split("-")[0])
    return language(next(known, DEFAULT_LOCALE)).locale


Locale = Annotated[str, Depends(locale_of)]


class StepBody(Wire):
    """A line of the checklist."""

    id: str
    title: str
    state: Literal["blocked", "open", "done", "skipped"]
    effort: int
    scope: Literal["user", "account"]
    colleague: bool


class CardBody(Wire):
    """A next step; `tool` does it after approval, `opens` is where it is done by hand. `arguments`
    are preselected for the tool, and may be changed; `evidence` are ids of the events that `why`
    goes back to."""

    decision: str
    action: str
    title: str
    why: str
    effort: int
    minutes: int | None
    tool: str | None
    opens: str | None
    alternatives: list[str]
    arguments: dict[str, JsonValue]
    evidence: list[str]


class MutedBody(Wire):
    action: str
    title: str
    until: AwareDatetime | None


class StandingBody(Wire):
    """`guided` is false when nothing is set up or the person did not agree: then all is empty.
    `question` is answered, or left, at `/v1/me/questions/{id}`."""

    guided: bool
    journey: str | None = None
    title: str = ""
    share: float = 0.0
    minutes_left: int | None = None
    mode: Mode = Mode.SIMPLE
    reached: bool = False
    curated: bool = True
    checklist: list[StepBody] = Field(default_factory=list)
    cards: list[CardBody] = Field(default_factory=list)
    muted: list[MutedBody] = Field(default_factory=list)
    question: QuestionBody | None = None


class ResponseInput(Wire):
    """What a person did with a card. `snooze` is needed with `snoozed`, and with nothing else."""

    model_config = ConfigDict(extra="forbid")

    outcome: Literal["seen", "clicked", "completed", "dismissed", "snoozed", "never", "another"]
    snooze: Snooze | None = None


class ModeInput(Wire):
    model_config = ConfigDict(extra="forbid")

    mode: Mode = Field(description="How much is shown at once")


def router(context: Context) -> APIRouter:
    """`/v1/me/next-steps`, `/v1/me/muted`, `/v1/me/mode`."""
    routes = APIRouter(prefix="/v1/me", tags=["guidance"], responses=RESPONSES)

    @routes.get("/next-steps", summary="The caller's checklist and next steps")
    async def next_steps(actor: SignedIn, locale: Locale) -> StandingBody:
        return await _body(context, actor, locale)

    @routes.post("/next-steps/{decision}/{action}", summary="What the caller did with a card")
    async def respond(
        decision: DecisionId,
        action: ActionName,
        body: ResponseInput,
        actor: SignedIn,
        locale: Locale,
    ) -> StandingBody:
        kind = OutcomeKind(body.outcome)
        if (kind is OutcomeKind.SNOOZED) != (body.snooze is not None):
            raise InputError("/snooze", "needed with the outcome snoozed, and with no other")
        try:
            await _desk(context).respond(actor, (decision, action), kind, body.snooze)
        except UnknownCardError as failure:
            raise NotHereError("unknown_card", "you were shown no such card") from failure
        return await _body(context, actor, locale)

    _add_choices(routes, context)
    return routes


def _add_choices(routes: APIRouter, context: Context) -> None:
    @routes.delete("/muted/{action}", summary="Suggest an action again")
    async def unmute(action: ActionName, actor: SignedIn, locale: Locale) -> StandingBody:
        if not await _desk(context).unmute(actor, action):
            raise NotHereError("not_muted", "this action was not put aside")
        return await _body(context, actor, locale)

    @routes.put("/mode", summary="Simple or advanced")
    async def mode(body: ModeInput, actor: SignedIn, locale: Locale) -> StandingBody:
        if await _desk(context).standing(actor, locale) is None:
            raise ConflictError("not_guided", "nothing is remembered of who is not guided")
        await _desk(context).choose_mode(actor, body.mode)
        return await _body(context, actor, locale)


def _desk(context: Context) -> GuideDesk:
    if context.acts.guide is None:
        raise NotHereError("guidance_off", "nobody is guided here: no onboarding is set up")
    return context.acts.guide


async def _body(context: Context, actor: Actor, locale: str) -> StandingBody:
    desk = _desk(context)
    standing = await desk.standing(actor, locale)
    if standing is None:
        return StandingBody(guided=False)
    muted = await desk.muted(actor, locale)
    return StandingBody(
        guided=True,
        journey=standing.journey,
        title=standing.title,
        share=standing.share,
        minutes_left=standing.minutes_left,
        mode=Mode(standing.mode),
        reached=standing.reached,
        curated=standing.curated,
        checklist=[
            StepBody.model_validate(each, from_attributes=True) for each in standing.checklist
        ],
        cards=[_card(each) for each in standing.cards],
        muted=[MutedBody(**each._asdict()) for each in muted],
        question=None if standing.question is None else _question(standing.question),
    )


def _card(card: NextStep) -> CardBody:
    found = CardBody.model_validate(card, from_attributes=True)
    return found.model_copy(update={"arguments": {**card.arguments, **card.personal}})


def _question(question: Question) -> QuestionBody:
    return QuestionBody(
        id=question.id,
        session=question.session,
        fact=question.fact,
        asks=question.asks,
        why=question.why,
        offered=question.offered,
        choices=[Choice(value=v, label=label) for v, label in question.choices.items()],
    )
