"""Kits and guides: values that are edited, notes, depths, captions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from onboarding.journeys.composing import ANYONE, INDUSTRY, ROLE
from onboarding.journeys.guides import Depth, Guide, GuideKind, Video
from onboarding.journeys.kits import Kit, edits_of
from onboarding.journeys.lint.known import Known, untranslated
from onboarding.journeys.lint.steps import step_problems
from onboarding.rules import Place, Problem, Vocabulary, check_rule, did_you_mean


def kit_problems(
    kit: Kit, known: Known, vocabulary: Vocabulary, steps: Collection[str]
) -> Iterator[Problem]:
    """`steps` are those of the journeys that a kit may join."""
    yield from _texts(kit, known)
    yield from _fits(kit, vocabulary)
    yield from _edits(kit)
    if known.flows is not None and kit.action not in known.flows:
        message = f"there is no flow or tool {kit.action}{did_you_mean(kit.action, known.flows)}"
        yield Problem(("action",), "unknown_action", message)
    if kit.audience is not None:
        yield from check_rule(kit.audience, vocabulary, ("audience",))
    yield from step_problems(kit.steps, known, vocabulary, steps)


def guide_problems(guide: Guide, known: Known, vocabulary: Vocabulary) -> Iterator[Problem]:
    """Also what a screen reader or a person without sound would miss."""
    yield from untranslated(guide.title, ("title",), known.locales)
    yield from check_rule(guide.trigger, vocabulary, ("trigger",))
    if guide.step is not None and guide.step not in vocabulary.steps:
        message = f"there is no step {guide.step}{did_you_mean(guide.step, vocabulary.steps)}"
        yield Problem(("step",), "unknown_step", message)
    depths = guide.depth.by_name()
    if not any(_says(guide.kind, depth) for depth in depths.values()):
        yield Problem(("depth",), "says_nothing", f"a {guide.kind} says something at some depth")
    for name, depth in depths.items():
        yield from _depth(depth, known, vocabulary, ("depth", name))


def _texts(kit: Kit, known: Known) -> Iterator[Problem]:
    yield from untranslated(kit.title, ("title",), known.locales)
    for number, value in enumerate(kit.values):
        yield from untranslated(value.label, ("values", number, "label"), known.locales)
    for number, note in enumerate(kit.compliance):
        yield from untranslated(note.text, ("compliance", number, "text"), known.locales)
    for name in ("dashboards", "workflows", "alerts", "playbooks"):
        for number, item in enumerate(getattr(kit, name)):
            yield from untranslated(item.title, (name, number, "title"), known.locales)
    for number, book in enumerate(kit.playbooks):
        for at, text in enumerate(book.steps):
            yield from untranslated(text, ("playbooks", number, "steps", at), known.locales)


def _fits(kit: Kit, vocabulary: Vocabulary) -> Iterator[Problem]:
    if not kit.items:
        yield Problem((), "says_nothing", "a kit makes something: dashboards, workflows, alerts")
    for key, fact, more in (("industry", INDUSTRY, ()), ("persona", ROLE, (ANYONE,))):
        values = vocabulary.facts.get(fact, frozenset()) | frozenset(more)
        value = getattr(kit, key)
        if value not in values:
            message = f"there is no {fact} {value}{did_you_mean(value, values)}"
            yield Problem((key,), "unknown_value", message)


def _edits(kit: Kit) -> Iterator[Problem]:
    keys = {value.key for value in kit.values}
    used: set[str] = set()
    for name in ("dashboards", "workflows", "alerts"):
        for number, item in enumerate(getattr(kit, name)):
            named = edits_of(item.with_)
            used |= named
            for key in sorted(named - keys):
                message = f"there is no value {key}{did_you_mean(key, keys)}"
                yield Problem((name, number, "with"), "unknown_edit", message)
    for number, value in enumerate(kit.values):
        if value.key not in used:
            yield Problem(("values", number, "key"), "unused_edit", f"nothing uses {value.key}")


def _says(kind: GuideKind, depth: Depth) -> bool:
    match kind:
        case GuideKind.TOOLTIP:
            return bool(depth.text)
        case GuideKind.WALKTHROUGH:
            return bool(depth.stops)
        case GuideKind.VIDEO:
            return depth.video is not None


def _depth(depth: Depth, known: Known, vocabulary: Vocabulary, place: Place) -> Iterator[Problem]:
    if depth.text:
        yield from untranslated(depth.text, (*place, "text"), known.locales)
    for number, stop in enumerate(depth.stops):
        here = (*place, "stops", number)
        yield from untranslated(stop.text, (*here, "text"), known.locales)
        if stop.until is not None:
            yield from check_rule(stop.until, vocabulary, (*here, "until"))
    if depth.video is not None:
        yield from _video(depth.video, known, (*place, "video"))


def _video(video: Video, known: Known, place: Place) -> Iterator[Problem]:
    for locale in known.locales:
        for key, code, given in (
            ("file", "missing_translation", video.file),
            ("captions", "no_caption", video.captions),
            ("transcript", "no_transcript", video.transcript),
        ):
            if not given.get(locale, "").strip():
                yield Problem((*place, key), code, f"the video has no {key} in {locale}")
    yield from _files(video.captions, known, (*place, "captions"), ".vtt")
    yield from _files(video.file, known, (*place, "file"), "")


def _files(given: Mapping[str, str], known: Known, place: Place, ending: str) -> Iterator[Problem]:
    for locale, path in given.items():
        if not path.endswith(ending):
            yield Problem((*place, locale), "no_caption", f"captions are WebVTT: {path}")
        elif known.media is not None and path not in known.media:
            message = f"there is no file {path}{did_you_mean(path, known.media)}"
            yield Problem((*place, locale), "unknown_file", message)
