"""What is due of a journey or play -> messages for the governor."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from onboarding.interventions import (
    Cap,
    Channel,
    Klass,
    Message,
    OnCap,
    Quiet,
    Scope,
    Value,
    Window,
)
from onboarding.journeys import CapEntry, Journey, QuietEntry
from onboarding.journeys.sending import Sending, due_sends
from onboarding.rules import Moment
from onboarding.store.journeys.desk import Standing
from onboarding.types import StepState

OWN_ZONE: Final = "user"
SESSION: Final = timedelta(days=1)
"""Of a cap by session while nobody says when the session began."""
_SCOPES: Final[Mapping[str, Scope]] = MappingProxyType(
    {"user": Scope.USER, "account": Scope.ACCOUNT}
)
STEP: Final = "step"
"""The placeholder that names the step which is open."""
REASON: Final = "reason"
"""The one that says whom to invite next, with which role and why."""
NOTHING: Final[Mapping[str, Value]] = MappingProxyType({})


def messages_of(
    standing: Standing,
    moment: Moment,
    placeholders: Mapping[str, Collection[str]],
    told: Mapping[str, Value] = NOTHING,
) -> tuple[Message, ...]:
    """`placeholders` are those of each template: a message is given what its template asks for, of
    `told` too. One whose reason is not there waits."""
    due = due_sends(standing.composed, standing.enrolment, standing.progress, moment)
    found = ((each, placeholders.get(each.template, ())) for each in due)
    return tuple(
        _message(standing, each, moment, _values(standing, moment, wanted, told))
        for each, wanted in found
        if REASON not in wanted or REASON in told
    )


def wants_reason(standing: Standing, placeholders: Mapping[str, Collection[str]]) -> bool:
    """Whether a message of it says whom to invite."""
    sent = (step.send.partition("/")[2] for step in standing.composed.steps if step.send)
    return any(REASON in placeholders.get(template, ()) for template in sent)


def _message(
    standing: Standing, sending: Sending, moment: Moment, values: Mapping[str, Value]
) -> Message:
    journey, enrolment = standing.composed.journey, standing.enrolment
    channel = Channel(sending.via.value)
    entries = journey.caps.by_name()
    own = entries.get(channel.value)
    return Message(
        person=enrolment.person,
        channel=channel,
        kind=sending.kind,
        template=sending.template,
        journey=enrolment.ref,
        step=sending.key,
        values=values,
        entry=enrolment.entry,
        priority=journey.priority,
        exclusive=journey.exclusive,
        purpose=journey.purpose,
        klass=Klass.TRANSACTIONAL if sending.is_transactional else Klass.ORDINARY,
        caps=tuple(
            _cap(name, entry)
            for name, entry in entries.items()
            if name in (channel.value, *_SCOPES)
        ),
        on_cap=OnCap(own.on_cap) if own is not None else OnCap.DEFER,
        quiet=_quiet(journey),
        not_before=sending.not_before,
        arms=dict(moment.arms),
    )


def _cap(name: str, entry: CapEntry) -> Cap:
    window = Window(entry.window.value) if entry.window is not None else Window.ROLLING
    return Cap(entry.max, entry.per or SESSION, window, _SCOPES.get(name, Scope.JOURNEY))


def _quiet(journey: Journey) -> Quiet | None:
    entry: QuietEntry | None = journey.quiet
    if entry is None:
        return None
    channels = frozenset(Channel(via.value) for via in entry.channels)
    zone = None if entry.zone == OWN_ZONE else entry.zone
    return Quiet(entry.from_, entry.to, channels, zone)


def _values(
    standing: Standing, moment: Moment, wanted: Collection[str], told: Mapping[str, Value]
) -> dict[str, Value]:
    named: dict[str, Value] = {STEP: _open_title(standing, moment)} if STEP in wanted else {}
    return named | {name: value for name, value in told.items() if name in wanted}


def _open_title(standing: Standing, moment: Moment) -> str:
    """The first open step, else the journey, in the language that the person's events came in."""
    locale = locale_of(moment)
    titles = {step.id: step.title for step in standing.composed.steps}
    for step in standing.progress.steps:
        if step.state is StepState.OPEN and titles.get(step.id):
            return in_locale(titles[step.id], locale)
    return in_locale(standing.composed.journey.title, locale)


def locale_of(moment: Moment) -> str:
    """As the newest event with a language says; English where none does."""
    for event in reversed(moment.own.recent):
        tagged = event.fields.get("context.locale")
        if tagged is not None and isinstance(tagged.value, str):
            return tagged.value.split("-", maxsplit=1)[0].lower()
    return "en"


def in_locale(texts: Mapping[str, str], locale: str) -> str:
    """A text in this locale, its language, English, or whatever there is; empty without any."""
    for tried in (locale, locale.split("-", maxsplit=1)[0], "en"):
        if tried in texts:
            return texts[tried]
    return next(iter(texts.values()), "")
