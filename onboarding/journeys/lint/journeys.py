"""Journeys and plays: goal, windows, branches, versions, and what a play owes its reader."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from zoneinfo import available_timezones

from guardrails.consent import Purpose
from onboarding.journeys.catalogue import Catalogue, Defined, FileKind, defined
from onboarding.journeys.enrolment import unaccounted
from onboarding.journeys.format import Journey
from onboarding.journeys.lint.known import Known, Published, untranslated
from onboarding.journeys.lint.reach import excluded
from onboarding.journeys.lint.steps import step_problems
from onboarding.rules import Problem, Vocabulary, check_rule, data_of, did_you_mean, is_negative

_RELATIVE = ("user", "account", "tenant")


def journey_problems(
    journey: Journey, known: Known, vocabulary: Vocabulary, published: Published
) -> Iterator[Problem]:
    """Of one file by itself."""
    yield from untranslated(journey.title, ("title",), known.locales)
    yield from _goal(journey, vocabulary)
    yield from _windows(journey)
    yield from _audience(journey, vocabulary)
    yield from step_problems(journey.steps, known, vocabulary)
    yield from _play(journey) if journey.kind == "play" else ()
    yield from _experiment(journey, known)
    yield from _migration(journey, published)


def tied(catalogue: Catalogue) -> Iterator[tuple[Defined, Problem]]:
    """Files that only make sense together: two of one group with one priority, a journey and a play
    of one name."""
    seen: dict[tuple[str, str | int], str] = {}
    for each in catalogue.defined:
        value = each.value
        if not isinstance(value, Journey):
            continue
        names: list[tuple[str, str | int]] = [("name", value.name)]
        if value.exclusive is not None:
            names.append((f"exclusive {value.exclusive}", value.priority))
        for what in names:
            other = seen.setdefault(what, value.name)
            if other != value.name and what[0] != "name":
                message = f"{other} of the same group has priority {value.priority} too"
                yield each, Problem(("priority",), "tie", message)
            elif what[0] == "name" and value.name in catalogue.journeys and value.kind == "play":
                yield each, Problem(("play",), "twice", f"there is a journey {value.name} too")


def _goal(journey: Journey, vocabulary: Vocabulary) -> Iterator[Problem]:
    goal = journey.goal
    if goal is None:
        if journey.kind == "journey":
            yield Problem((), "missing_goal", "goal is missing: what is this journey for?")
        return
    if goal.within is None:
        message = "say the time in which it counts, such as within: 14d"
        yield Problem(("goal",), "window_not_stated", message)
    yield from check_rule(goal.rule, vocabulary, ("goal",))
    if is_negative(goal.rule):
        message = "it may hold because nothing has happened; name what reaches it"
        yield Problem(("goal",), "done_by_nothing", message)


def _windows(journey: Journey) -> Iterator[Problem]:
    for name, cap in journey.caps.by_name().items():
        if cap.window is None:
            message = "say how it counts: window: rolling or window: calendar"
            yield Problem(("caps", name), "window_not_stated", message)
    entry = journey.entry
    if entry is not None and entry.max > 1 and entry.every is None:
        message = "say how far apart: every: 30d"
        yield Problem(("entry",), "window_not_stated", message)
    quiet = journey.quiet
    if quiet is not None and quiet.zone not in _RELATIVE and quiet.zone not in _zones():
        message = (
            f"there is no zone {quiet.zone}{did_you_mean(quiet.zone, {*_RELATIVE, *_zones()})}"
        )
        yield Problem(("quiet", "zone"), "unknown_zone", message)


def _audience(journey: Journey, vocabulary: Vocabulary) -> Iterator[Problem]:
    if journey.audience is not None:
        yield from check_rule(journey.audience, vocabulary, ("audience",))
    entry = journey.entry
    if entry is not None and entry.on not in vocabulary.events:
        message = f"there is no event {entry.on}{did_you_mean(entry.on, vocabulary.events)}"
        yield Problem(("entry", "on"), "unknown_event", message)
    for number, name in excluded(journey.steps, journey.audience):
        message = f"nobody can come here: {name} cannot be what both rules want"
        yield Problem(("steps", number, "when"), "unreachable_step", message)


def _play(play: Journey) -> Iterator[Problem]:
    owed = (
        (play.kpi is None, "no_kpi", "kpi is missing: what shall this play move?"),
        (
            "purpose" not in play.model_fields_set,
            "no_purpose",
            "purpose is missing: what is the data used for?",
        ),
        (play.audience is None, "no_audience", "audience is missing: a play is not for everybody"),
    )
    for is_missing, code, message in owed:
        if is_missing:
            yield Problem((), code, message)
    yield from _advert(play) if play.purpose is Purpose.MARKETING else ()
    yield from _caps(play) if play.class_ == "ordinary" else ()


def _advert(play: Journey) -> Iterator[Problem]:
    if not play.after_goal:
        message = "what advertises comes after the goal: after_goal: true"
        yield Problem(("purpose",), "marketing_before_goal", message)
    if play.class_ == "transactional":
        yield Problem(("class",), "transactional_advert", "what advertises is never transactional")


def _caps(play: Journey) -> Iterator[Problem]:
    for via in sorted({step.send.split("/")[0] for step in play.steps if step.send}):
        if getattr(play.caps, via) is None:
            message = f"it sends {via} without a cap: {via}: {{max: 1, per: 72h, window: rolling}}"
            yield Problem(("caps",), "no_cap", message)


def _experiment(journey: Journey, known: Known) -> Iterator[Problem]:
    test, metrics = journey.experiment, known.metrics
    wanted: list[tuple[tuple[str | int, ...], str]] = []
    if journey.kpi is not None:
        wanted.append((("kpi",), journey.kpi))
    if test is not None:
        wanted.append((("experiment", "primary"), test.primary))
        wanted += [(("experiment", "guardrails", n), g) for n, g in enumerate(test.guardrails)]
    for place, name in wanted:
        if metrics is not None and name not in metrics:
            message = f"there is no metric {name}{did_you_mean(name, metrics)}"
            yield Problem(place, "unknown_metric", message)


def _migration(journey: Journey, published: Published) -> Iterator[Problem]:
    moves = journey.migrate
    if moves is None:
        return
    if moves.from_ >= journey.version:
        message = f"it comes from an earlier version than {journey.version}"
        yield Problem(("migrate", "from"), "migrates_backwards", message)
    ids = {step.id for step in journey.steps}
    for old, new in moves.map.items():
        if new not in ids:
            message = f"there is no step {new}{did_you_mean(new, ids)}"
            yield Problem(("migrate", "map", old), "unknown_step", message)
    source = published.journey(journey.name, moves.from_)
    if source is None:
        message = f"version {moves.from_} was never published"
        yield Problem(("migrate", "from"), "unknown_version", message)
        return
    before = defined(data_of(source.text, source.path or source.name)).value
    lost = unaccounted(before, journey) if isinstance(before, Journey) else frozenset()
    if lost:
        named = ", ".join(sorted(lost))
        yield Problem(("migrate",), "lost_step", f"say what becomes of {named}: map or drop")


def version_problems(each: Defined, published: Published) -> Iterator[Problem]:
    """An edit needs a new number, and numbers rise."""
    source = each.source
    stored = published.ever.get((source.kind.value, source.name, source.version))
    if stored is not None and stored.digest != source.digest:
        newest = max(
            version
            for kind, name, version in published.ever
            if (kind, name) == _key(source.kind, source.name)
        )
        message = f"version {source.version} was published with another text; make it {newest + 1}"
        yield Problem(("version",), "version_edited", message)
    current = published.current.get(_key(source.kind, source.name))
    if stored is None and current is not None and source.version < current:
        message = f"version {current} is published; make it {current + 1}"
        yield Problem(("version",), "version_fallen", message)


def _key(kind: FileKind, name: str) -> tuple[str, str]:
    return kind.value, name


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
