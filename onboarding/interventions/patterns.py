"""The shapes of friction. Each sees one signal after another, keeps little, and says when.

Signals may come late and twice: marks are kept in order of time, and what was seen is not counted
again. A timer that has ended is not taken back by what comes later still.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import override

from onboarding.interventions.signals import Signal, SignalKind
from onboarding.interventions.tracks import MOST_MARKS, Mark, Tracks

LAST_QUESTIONS: Final = 4
HOUR_S: Final = 3600.0
DAY_S: Final = 86_400.0
STALLS_S: Final = 14 * DAY_S
"""After which somebody is gone, by the hazard model."""
ANY: Final = ""
"""The key of what is followed once for the whole person."""


class Found(NamedTuple):
    """`at` in seconds since 1970; `evidence` are ids of events."""

    at: float
    about: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Looks:
    """What is known beyond the signals. `risk`: probability that this person stalls at a step, 0
    to 1. `median`: seconds from a step's being shown to its first input, for most people."""

    risk: Callable[[str], float] | None = None
    median: Callable[[str], float | None] | None = None


class _Pattern(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def due(self, tracks: Tracks, now: float, looks: Looks) -> Iterator[Found]:  # noqa: ARG002
        """Of timers that ended by `now`."""
        yield from ()


class Burst(_Pattern):
    """`n` of the same within `within_s`, and within `radius` pixels where that is said. `counted`
    are signals of which one is enough, when the page itself counted `n`."""

    pattern: Literal["burst"]
    on: tuple[SignalKind, ...] = Field(min_length=1)
    n: int = Field(ge=1, le=MOST_MARKS)
    within_s: float = Field(gt=0)
    same: Literal["about", "code"] = "about"
    radius: float | None = None
    ignore: tuple[str, ...] = ()  # kinds of elements
    counted: SignalKind | None = None

    def see(self, tracks: Tracks, signal: Signal, _looks: Looks) -> Iterator[Found]:
        at = signal.at.timestamp()
        if signal.kind is self.counted and signal.count >= self.n:
            yield Found(at, signal.about, (signal.id,))
        if signal.kind not in self.on or (self.same == "about" and signal.code in self.ignore):
            return
        key = signal.about if self.same == "about" else signal.code
        track = tracks.of(key)
        mark = Mark(at, signal.id, signal.about, signal.x, signal.y)
        if track.add(mark):
            run = self._run(track.marks, mark)
            if run:
                about = signal.about or signal.code
                yield Found(run[-1].at, about, tuple(each.id for each in run))

    def _run(self, marks: Sequence[Mark], new: Mark) -> Sequence[Mark]:
        """Some `n` in a row with the new one among them, which may have come late."""
        spot = next((i for i, each in enumerate(marks) if each is new), 0)
        for first in range(max(0, spot - self.n + 1), spot + 1):
            run = marks[first : first + self.n]
            if len(run) == self.n and run[-1].at - run[0].at <= self.within_s and self._near(run):
                return run
        return ()

    def _near(self, run: Sequence[Mark]) -> bool:
        radius, last = self.radius, run[-1]
        return radius is None or all(hypot(m.x - last.x, m.y - last.y) <= radius for m in run)


class Unanswered(_Pattern):
    """`n` clicks within `within_s` after each of which nothing happened for `after_s`. What a page
    found dead itself counts, too."""

    pattern: Literal["unanswered"]
    on: tuple[SignalKind, ...] = (SignalKind.CLICK,)
    answer: tuple[SignalKind, ...] = (SignalKind.RESPONSE,)
    found: SignalKind = SignalKind.DEAD_CLICK
    after_s: float = Field(gt=0)
    n: int = Field(ge=1, le=MOST_MARKS)
    within_s: float = Field(gt=0)

    def see(self, tracks: Tracks, signal: Signal, _looks: Looks) -> Iterator[Found]:
        at = signal.at.timestamp()
        if signal.kind in self.on:
            waiting = tracks.of(ANY)
            if not any(at <= since <= at + self.after_s for since in _answers(tracks)):
                waiting.add(Mark(at, signal.id, signal.about))
            _rearm(tracks, self.after_s)
        elif signal.kind in self.answer:
            tracks.of("answers").add(Mark(at, signal.id), most=8)
            waiting = tracks.of(ANY)
            waiting.marks = [m for m in waiting.marks if not m.at <= at <= m.at + self.after_s]
            _rearm(tracks, self.after_s)
        elif signal.kind is self.found:
            yield from self._dead(tracks, Mark(at, signal.id, signal.about))

    @override
    def due(self, tracks: Tracks, now: float, _looks: Looks) -> Iterator[Found]:
        waiting = tracks.of(ANY)
        dead = [mark for mark in waiting.marks if mark.at + self.after_s <= now]
        waiting.marks = [mark for mark in waiting.marks if mark.at + self.after_s > now]
        _rearm(tracks, self.after_s)
        for mark in dead:
            yield from self._dead(tracks, mark)

    def _dead(self, tracks: Tracks, mark: Mark) -> Iterator[Found]:
        marks = tracks.of(f"dead {mark.about}")
        if not marks.add(mark):
            return
        run = [each for each in marks.marks if abs(each.at - mark.at) <= self.within_s]
        if len(run) >= self.n:
            yield Found(mark.at, mark.about, tuple(each.id for each in run[-self.n :]))


class Abandoned(_Pattern):
    """A form that was edited, and left or not touched for `after_s` without being submitted."""

    pattern: Literal["abandoned"]
    after_s: float = Field(gt=0)

    def see(self, tracks: Tracks, signal: Signal, _looks: Looks) -> Iterator[Found]:
        at = signal.at.timestamp()
        match signal.kind:
            case SignalKind.FORM_OPENED | SignalKind.FORM_EDITED:
                self._touched(tracks, signal, at)
            case SignalKind.FORM_SUBMITTED:
                track = tracks.of(signal.about)
                track.until = max(at, track.until or at)
                if track.since is not None and track.since <= at:
                    track.since = track.due = None
            case SignalKind.FORM_LEFT:
                yield from self._left(tracks, signal, at)

    def _touched(self, tracks: Tracks, signal: Signal, at: float) -> None:
        track = tracks.of(signal.about)
        if signal.kind is not SignalKind.FORM_EDITED or at <= (track.until or 0.0):
            return
        track.since = max(at, track.since or at)
        track.due = track.since + self.after_s
        track.add(Mark(at, signal.id), most=4)

    def _left(self, tracks: Tracks, signal: Signal, at: float) -> Iterator[Found]:
        track = tracks.of(signal.about)
        if track.since is not None and track.since <= at:
            ids = tuple(each.id for each in track.marks)
            track.since = track.due = None
            yield Found(at, signal.about, (*ids, signal.id))

    @override
    def due(self, tracks: Tracks, now: float, _looks: Looks) -> Iterator[Found]:
        for key, track in tracks.over(now):
            ended, track.since, track.due = track.due or now, None, None
            yield Found(ended, key, tuple(each.id for each in track.marks))


class SameQuestion(_Pattern):
    """A question of equal normal form, or whose vector is `cosine` near, within `within_s`."""

    pattern: Literal["same_question"]
    within_s: float = Field(gt=0)
    cosine: float = Field(gt=0, le=1)

    def see(self, tracks: Tracks, signal: Signal, _looks: Looks) -> Iterator[Found]:
        if signal.kind is not SignalKind.ASKED:
            return
        track, at = tracks.of(ANY), signal.at.timestamp()
        mark = Mark(at, signal.id, signal.about, vector=signal.vector)
        before = list(track.marks)
        if not track.add(mark, most=LAST_QUESTIONS):
            return
        for other in before:
            if abs(other.at - at) <= self.within_s and self._same(other, mark):
                yield Found(max(at, other.at), signal.about, (other.id, mark.id))
                return

    def _same(self, one: Mark, other: Mark) -> bool:
        if one.about and one.about == other.about:
            return True
        if not one.vector or len(one.vector) != len(other.vector):
            return False
        return sum(a * b for a, b in zip(one.vector, other.vector, strict=True)) >= self.cosine


class Returns(_Pattern):
    """`n` returns to one step within `within_s`: it was shown again after another."""

    pattern: Literal["returns"]
    n: int = Field(ge=1, le=MOST_MARKS // 2)
    within_s: float = Field(gt=0)

    def see(self, tracks: Tracks, signal: Signal, _looks: Looks) -> Iterator[Found]:
        if signal.kind is not SignalKind.STEP_SHOWN:
            return
        track, at = tracks.of(ANY), signal.at.timestamp()
        if not track.add(Mark(at, signal.id, signal.about)):
            return
        newest = track.marks[-1].at
        shown = [mark for mark in track.marks if newest - mark.at <= self.within_s]
        visits = [m for i, m in enumerate(shown) if i == 0 or shown[i - 1].about != m.about]
        for about in dict.fromkeys(mark.about for mark in visits):
            own = [mark for mark in visits if mark.about == about]
            if len(own) > self.n:
                yield Found(own[-1].at, about, tuple(mark.id for mark in own[-self.n - 1 :]))


class Hesitation(_Pattern):
    """No input on a step for `factor` times what most people need, and at least `least_s`."""

    pattern: Literal["hesitation"]
    factor: float = Field(gt=1)
    least_s: float = Field(gt=0)

    def see(self, tracks: Tracks, signal: Signal, looks: Looks) -> Iterator[Found]:
        at = signal.at.timestamp()
        if signal.kind is SignalKind.STEP_SHOWN:
            self._shown(tracks, signal, at, looks)
        elif signal.kind in (SignalKind.INPUT, SignalKind.STEP_DONE, SignalKind.FORM_EDITED):
            track = tracks.of(signal.about)
            track.until = max(at, track.until or at)
            if track.due is not None and track.since is not None and at >= track.since:
                late, track.due = at >= track.due, None
                if late and signal.kind is not SignalKind.STEP_DONE:
                    yield Found(at, signal.about, (*(m.id for m in track.marks), signal.id))

    def _shown(self, tracks: Tracks, signal: Signal, at: float, looks: Looks) -> None:
        usual = looks.median(signal.about) if looks.median is not None else None
        track = tracks.of(signal.about)
        if usual is None or at <= (track.until or 0.0) or track.due is not None:
            return
        track.since, track.due = at, at + max(self.factor * usual, self.least_s)
        track.marks = [Mark(at, signal.id)]

    @override
    def due(self, tracks: Tracks, now: float, _looks: Looks) -> Iterator[Found]:
        for key, track in tracks.over(now):
            ended, track.due = track.due or now, None
            yield Found(ended, key, tuple(mark.id for mark in track.marks))


class Stalled(_Pattern):
    """Nothing at all for `after_s` at a step that is not done, where the model sees `risk`. A risk
    grows with silence: it is looked at again, each hour of the first day, then each day, until two
    weeks are over."""

    pattern: Literal["stalled"]
    after_s: float = Field(gt=0)
    risk: float = Field(gt=0, le=1)

    def see(self, tracks: Tracks, signal: Signal, _looks: Looks) -> Iterable[Found]:
        track, at = tracks.of(ANY), signal.at.timestamp()
        if signal.kind is SignalKind.STEP_SHOWN and at >= (track.since or 0.0):
            track.marks = [Mark(at, signal.id, signal.about)]
        if signal.kind is SignalKind.STEP_DONE:
            track.marks = [mark for mark in track.marks if mark.about != signal.about]
        track.since = max(at, track.since or at)
        track.due = track.since + self.after_s if track.marks else None
        return ()

    @override
    def due(self, tracks: Tracks, now: float, looks: Looks) -> Iterator[Found]:
        for _, track in tracks.over(now):
            ended, track.due = track.due or now, None
            step = track.marks[-1]
            if looks.risk is not None and looks.risk(step.about) >= self.risk:
                yield Found(ended, step.about, (step.id,))
            elif now - (track.since or now) < STALLS_S:
                track.due = now + (HOUR_S if now - (track.since or now) < DAY_S else DAY_S)


Pattern = Annotated[
    Burst | Unanswered | Abandoned | SameQuestion | Returns | Hesitation | Stalled,
    Field(discriminator="pattern"),
]


def _answers(tracks: Tracks) -> list[float]:
    return [mark.at for mark in tracks.of("answers").marks]


def _rearm(tracks: Tracks, after_s: float) -> None:
    waiting = tracks.of(ANY)
    waiting.due = waiting.marks[0].at + after_s if waiting.marks else None
