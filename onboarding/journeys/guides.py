"""Tooltips, walkthroughs and micro-videos as files, and which one is shown to whom."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Final

from pydantic import Field, model_validator

from guardrails.consent import Purpose
from onboarding.journeys.format import Name, Texts
from onboarding.journeys.pacing import Part
from onboarding.rules import Duration, Rule, Test, compile_rule
from onboarding.types import UNKNOWN, View

_LOCALE: Final = re.compile(r"[a-z]{2}")
MODEST: Final = "intermediate"
"""The depth for whom nobody knows: the middle one."""


class GuideKind(StrEnum):
    """What a guide looks like."""

    TOOLTIP = "tooltip"
    WALKTHROUGH = "walkthrough"
    VIDEO = "video"


class Anchor(Part):
    """Where it points: a CSS selector, or the value of `data-guide`, which survives a redesign."""

    css: str | None = None
    guide: Name | None = None

    @model_validator(mode="after")
    def _one(self) -> Anchor:
        if (self.css is None) == (self.guide is None):
            raise ValueError("an anchor has one of css and guide")
        return self

    @property
    def selector(self) -> str:
        return self.css if self.css is not None else f'[data-guide="{self.guide}"]'


class Stop(Part):
    """One place of a walkthrough, shown when the one before is done with."""

    anchor: Anchor
    text: Texts
    until: Rule | None = None


class Video(Part):
    """A clip of at most two minutes. Captions are WebVTT; lint refuses a locale without them, and
    one without a transcript."""

    file: dict[str, str]
    captions: dict[str, str] = Field(default_factory=dict)
    transcript: Texts = Field(default_factory=dict)
    seconds: int = Field(ge=1, le=120)


class Depth(Part):
    """What is shown at one level of skill. Nothing at all is a level too."""

    text: Texts = Field(default_factory=dict)
    stops: tuple[Stop, ...] = ()
    video: Video | None = None


class Depths(Part):
    """By proficiency; one that is not written falls to the next simpler one that is."""

    novice: Depth | None = None
    intermediate: Depth | None = None
    advanced: Depth | None = None

    def by_name(self) -> dict[str, Depth]:
        return {name: found for name in type(self).model_fields if (found := getattr(self, name))}


class Guide(Part):
    """One version. `trigger` says when; a smaller `priority` wins. `page` is where, `*` any part
    of it; `again` is how long it stays away after it was shown."""

    name: Name
    version: int = Field(ge=1)
    kind: GuideKind
    owner: str = Field(min_length=1)
    title: Texts
    trigger: Rule
    anchor: Anchor
    page: str | None = None
    step: Name | None = None
    purpose: Purpose = Purpose.SUPPORT
    priority: int = Field(default=100, ge=0)
    again: Duration | None = None
    depth: Depths

    @model_validator(mode="before")
    @classmethod
    def _kinded(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "name" in given or "guide" not in given:
            return given
        rest = {key: value for key, value in given.items() if key != "guide"}
        return {"name": given["guide"], **rest}

    @property
    def ref(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"


class GuideState(StrEnum):
    """What became of a guide with one person; done and dismissed are for good."""

    SHOWN = "shown"
    DONE = "done"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True)
class GuideMark:
    """How far one person is with one guide. `stop` counts places of a walkthrough that are done
    with."""

    guide: str
    version: int
    state: GuideState
    shown_at: datetime
    at: datetime
    stop: int = 0

    def with_(self, later: GuideMark) -> GuideMark:
        """Both as one, whichever came first: nothing is undone, and nothing is done twice. Places
        of another version are other places."""
        if self.state is not GuideState.SHOWN:
            return self
        newest = self if self.version > later.version else later
        others = [each.stop for each in (self, later) if each.version == newest.version]
        return replace(
            newest,
            state=later.state,
            stop=max(others),
            shown_at=max(self.shown_at, later.shown_at),
            at=max(self.at, later.at),
        )


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks at which page. `may` are the purposes that they allow."""

    proficiency: str
    locale: str
    page: str | None = None
    may: frozenset[Purpose] = frozenset({Purpose.SUPPORT})
    marks: Mapping[str, GuideMark] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShownStop:
    """One place of a walkthrough in one language."""

    selector: str
    text: str


@dataclass(frozen=True, slots=True)
class ShownVideo:
    """A clip in one language; `captions` and `transcript` are always there."""

    file: str
    captions: str
    transcript: str
    seconds: int


@dataclass(frozen=True, slots=True)
class ShownGuide:
    """What the widget draws. `stop` is the place of a walkthrough that is next."""

    guide: str  # name@version
    kind: GuideKind
    depth: str
    locale: str
    title: str
    selector: str
    text: str = ""
    stops: tuple[ShownStop, ...] = ()
    video: ShownVideo | None = None
    step: str | None = None
    stop: int = 0


class Guides:
    """Those of one catalogue, their rules compiled once."""

    def __init__(self, guides: Iterable[Guide]) -> None:
        ordered = sorted(guides, key=lambda each: (each.priority, each.name))
        self._guides: tuple[tuple[Guide, Test], ...] = tuple(
            (each, compile_rule(each.trigger)) for each in ordered
        )
        self._passed: dict[tuple[str, str], tuple[Test, ...]] = {
            (guide.name, name): tuple(
                compile_rule(stop.until) if stop.until is not None else _never
                for stop in depth.stops
            )
            for guide in ordered
            for name, depth in guide.depth.by_name().items()
        }

    def of(self, view: View, reader: Reader) -> Iterator[ShownGuide]:
        """Those whose trigger holds and that say something at this skill, the first by priority
        first. What is done or dismissed is over; what was just shown stays away for a while, but
        for a walkthrough that was begun."""
        for guide, holds in self._guides:
            mark = reader.marks.get(guide.name)
            if not _may_show(guide, reader) or _rests(guide, mark, view.now) or not holds(view):
                continue
            shown = shown_guide(guide, reader.proficiency, reader.locale)
            if shown is None:
                continue
            stop = self._reached(guide, shown, mark, view)
            if stop < len(shown.stops) or not shown.stops:
                yield replace(shown, stop=stop)

    def for_view(self, view: View, proficiency: str, locale: str) -> ShownGuide | None:
        """The one for somebody of whom nothing is remembered, on any page."""
        return next(self.of(view, Reader(proficiency, locale)), None)

    def _reached(self, guide: Guide, shown: ShownGuide, mark: GuideMark | None, view: View) -> int:
        """How many places are done with: as it is remembered, and as the rules say by now."""
        stop = mark.stop if mark is not None and mark.version == guide.version else 0
        tests = self._passed.get((guide.name, shown.depth), ())
        while stop < len(tests) and tests[stop](view):
            stop += 1
        return min(stop, len(shown.stops))


def _never(_view: View) -> bool:
    return False


def _may_show(guide: Guide, reader: Reader) -> bool:
    if guide.purpose not in reader.may:
        return False
    return guide.page is None or (reader.page is not None and fnmatchcase(reader.page, guide.page))


def _rests(guide: Guide, mark: GuideMark | None, now: datetime) -> bool:
    if mark is None:
        return False
    if mark.state is not GuideState.SHOWN:
        return True
    return guide.again is not None and mark.stop == 0 and now - mark.shown_at < guide.again


def guide_for(
    guides: Iterable[Guide], view: View, proficiency: str, locale: str
) -> ShownGuide | None:
    """The one guide for this moment, or None."""
    return Guides(guides).for_view(view, proficiency, locale)


def shown_guide(guide: Guide, proficiency: str, locale: str) -> ShownGuide | None:
    """In one language and depth; None where that depth says nothing."""
    name, depth = _depth(guide.depth, proficiency)
    if depth is None:
        return None
    spoken = _spoken(guide.title, locale)
    return ShownGuide(
        guide=guide.ref,
        kind=guide.kind,
        depth=name,
        locale=spoken,
        title=guide.title[spoken],
        selector=guide.anchor.selector,
        text=said(depth.text, locale),
        stops=tuple(ShownStop(s.anchor.selector, said(s.text, locale)) for s in depth.stops),
        video=_video(depth.video, locale),
        step=guide.step,
    )


def said(texts: Mapping[str, str], locale: str) -> str:
    """The text of a locale, of its language, of English, or of whatever there is; "" of none."""
    return texts[_spoken(texts, locale)] if texts else ""


def _spoken(texts: Mapping[str, str], locale: str) -> str:
    language = _LOCALE.match(locale)
    wanted = (locale, language[0] if language else "", "en")
    return next((each for each in wanted if each in texts), min(texts))


def _depth(depths: Depths, proficiency: str) -> tuple[str, Depth | None]:
    written = depths.by_name()
    level = MODEST if proficiency == UNKNOWN else proficiency
    names = list(Depths.model_fields)
    simpler = names[: names.index(level) + 1] if level in names else [MODEST]
    for name in reversed(simpler):
        if name in written:
            found = written[name]
            empty = not (found.text or found.stops or found.video)
            return name, None if empty else found
    return level, None


def _video(video: Video | None, locale: str) -> ShownVideo | None:
    if video is None:
        return None
    spoken = _spoken(video.file, locale)
    return ShownVideo(
        video.file[spoken], video.captions[spoken], video.transcript[spoken], video.seconds
    )
