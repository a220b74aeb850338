"""Tooltips, walkthroughs and clips over HTTP: what applies where the caller is, and what they did
with it. One at a time, nothing while they type or a card waits for them, and what is done or
dismissed on one device is over on all.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Path, Query
from fastapi.responses import FileResponse
from pydantic import AwareDatetime, ConfigDict, Field

from api.context import Context
from api.errors import ConflictError, InputError, NotHereError
from api.guidance import Locale
from api.identity import SignedIn
from api.openapi import problem
from api.schemas import Wire
from api.shelf import GuideShelf, Pause
from onboarding.engine.showing import Did, Page, UnknownGuideError
from onboarding.journeys import GuideKind, ShownGuide, ShownVideo

RESPONSES: dict[int | str, dict[str, Any]] = {
    401: problem("Nobody is signed in"),
    404: problem("Nobody is guided here, or there is no such guide"),
    409: problem("Nothing is remembered of who is not guided"),
    422: problem("A value that does not fit"),
    503: problem("The database does not answer"),
}
GuideRef = Annotated[
    str,
    Path(pattern=r"^[a-z][a-z0-9_-]{0,63}@[1-9][0-9]{0,8}$", description="`guide` as it was shown"),
]
At = Annotated[
    str | None,
    Query(
        alias="page",
        max_length=500,
        pattern=r"^/[^\s?#]*$",
        description="Path of the page; without it only guides of every page",
    ),
]
Every = Annotated[bool, Query(alias="all", description="All that apply, not the first alone")]
MEDIA = "/v1/guides/media"
MOST_STOPS = 100


class StopBody(Wire):
    selector: str
    text: str


class VideoBody(Wire):
    """Addresses of a clip and of its captions (WebVTT), and the same in words."""

    file: str
    captions: str
    transcript: str
    seconds: int


class GuideBody(Wire):
    """A guide in the caller's language and at their skill. `stop` is the place of a walkthrough
    that is next, from 0; `step` the step of the checklist that it helps with."""

    guide: str
    kind: GuideKind
    depth: str
    locale: str
    title: str
    selector: str
    text: str
    stops: list[StopBody]
    stop: int
    video: VideoBody | None
    step: str | None


class GuidesBody(Wire):
    """`guided` is false when the person did not agree. `paused` says what of theirs would be broken
    into: ask again when it is over."""

    guided: bool
    paused: Pause | None = None
    guides: list[GuideBody] = Field(default_factory=list)


class GuideInput(Wire):
    """`stop` is needed with `reached`, and with nothing else: how many places are done with."""

    model_config = ConfigDict(extra="forbid")

    did: Did
    stop: Annotated[int, Field(ge=1, le=MOST_STOPS)] | None = None


class GuideMarkBody(Wire):
    """What stands. Done and dismissed are for good."""

    guide: str
    state: Literal["shown", "done", "dismissed"]
    stop: int
    at: AwareDatetime


def router(context: Context) -> APIRouter:
    """`/v1/me/guides`, and the files that guides show."""
    routes = APIRouter(prefix="/v1", tags=["guidance"], responses=RESPONSES)
    _add_showing(routes, context)
    _add_noting(routes, context)
    _add_media(routes, context)
    return routes


def _add_showing(routes: APIRouter, context: Context) -> None:
    @routes.get("/me/guides", summary="Tooltips and walkthroughs where the caller is")
    async def guides(
        actor: SignedIn, locale: Locale, page: At = None, every: Every = False
    ) -> GuidesBody:
        shelf = _shelf(context)
        paused = await shelf.busy(actor)
        found = await shelf.on_page(actor, Page(page, locale, every))
        if found is None:
            return GuidesBody(guided=False)
        shown = [] if paused is not None and not every else found
        return GuidesBody(guided=True, paused=paused, guides=[_body(each) for each in shown])


def _add_noting(routes: APIRouter, context: Context) -> None:
    @routes.post("/me/guides/{guide}", summary="What the caller did with a guide")
    async def note(guide: GuideRef, body: GuideInput, actor: SignedIn) -> GuideMarkBody:
        if (body.did is Did.REACHED) != (body.stop is not None):
            raise InputError("/stop", "needed with reached, and with nothing else")
        try:
            mark = await _shelf(context).note(actor, guide, body.did, body.stop or 0)
        except UnknownGuideError as failure:
            raise NotHereError("unknown_guide", str(failure)) from failure
        if mark is None:
            raise ConflictError("not_guided", "nothing is remembered of who is not guided")
        return GuideMarkBody(
            guide=f"{mark.guide}@{mark.version}",
            state=mark.state.value,
            stop=mark.stop,
            at=mark.at,
        )


def _add_media(routes: APIRouter, context: Context) -> None:
    @routes.get(
        "/guides/media/{name:path}",
        summary="A clip of a guide, or its captions",
        response_class=FileResponse,
    )
    async def media(name: Annotated[str, Path(max_length=200)]) -> FileResponse:
        found = _shelf(context).media(name)
        if found is None:
            raise NotHereError("unknown_media", "no guide shows such a file")
        return FileResponse(found)


def _shelf(context: Context) -> GuideShelf:
    if context.acts.guides is None:
        raise NotHereError("guidance_off", "nobody is guided here: no onboarding is set up")
    return context.acts.guides


def _body(shown: ShownGuide) -> GuideBody:
    return GuideBody(
        guide=shown.guide,
        kind=shown.kind,
        depth=shown.depth,
        locale=shown.locale,
        title=shown.title,
        selector=shown.selector,
        text=shown.text,
        stops=[StopBody(selector=each.selector, text=each.text) for each in shown.stops],
        stop=shown.stop,
        video=_video(shown.video) if shown.video is not None else None,
        step=shown.step,
    )


def _video(video: ShownVideo) -> VideoBody:
    return VideoBody(
        file=f"{MEDIA}/{quote(video.file)}",
        captions=f"{MEDIA}/{quote(video.captions)}",
        transcript=video.transcript,
        seconds=video.seconds,
    )
