"""Random streams of events as they really come: out of order, late, twice, by visitors who become
users; with decisions in between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random

from guardrails.consent import Purpose, Tagged
from onboarding.events import SHIPPED as EVENTS
from onboarding.events import Addition, EventCatalogue, EventLog, Link, load_catalogue
from onboarding.features import SHIPPED, FeatureSet, load_features
from onboarding.features.offline import Asked
from onboarding.features.store import Features, FeatureStore
from onboarding.features.updating import FeatureUpdater
from onboarding.types import Event, EventKind, FeatureValue, Person, Snapshot

HARBOR = Path("examples/harbor/onboarding")
START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PEOPLE = ("ana", "bo")
VISITORS = ("v1", "v2", "v3")
ACCOUNTS = ("acme", "brix", None)
BOTH = frozenset({Purpose.SUPPORT, Purpose.PRODUCT_ANALYTICS})
SUPPORT = frozenset({Purpose.SUPPORT})
NAMES = (
    "Import Started", "Import Finished", "Import Failed", "Connection Checked",
    "Connection Check Failed", "Dashboard Created", "Member Invited", "Member Joined", "page",
    "card_shown", "card_clicked", "card_dismissed", "form_opened", "form_edited",
    "form_submitted", "form_left", "step_shown", "page_dwelt", "rage_click", "identify", "group",
    "step_shown", "form_edited", "step_shown", "form_edited",
)  # fmt: skip
BUSY = ("step_shown", "form_edited", "Import Failed", "Import Finished")
JUMPS = (0.0, 0.0, 1.0, 7.0, 60.0, 60.0, 1799.0, 1801.0, 3600.0, 40_000.0, 90_000.0, 700_000.0)
"""Seconds between two things that come: many at once, sessions, days, weeks."""


@cache
def harbor() -> EventCatalogue:
    return load_catalogue(EVENTS, HARBOR / "events")


@cache
def features() -> FeatureSet:
    return load_features(harbor(), SHIPPED, HARBOR / "features")


@dataclass(slots=True)
class Stream:
    """Makes one thing after another. `links` are those that were taken."""

    rng: Random
    now: datetime = START
    count: int = 0
    busy: bool = False  # for a while all comes at once, and in time

    def additions(self, most: int) -> Iterator[Addition]:
        before: list[Addition] = []
        self.busy = self.rng.random() < 0.4
        for _ in range(self.rng.randint(1, most)):
            if before and self.rng.random() < 0.1:
                yield self.rng.choice(before)  # sent again
                continue
            self._pass()
            new = self._new()
            before.append(new)
            yield new

    def asked(self) -> Asked:
        self._pass()
        given = {"progress": self.rng.random()} if self.rng.random() < 0.5 else {}
        at, self.now = self.now, self.now + timedelta(microseconds=1)
        who = Person("t", self.rng.choice(PEOPLE), self.rng.choice(ACCOUNTS))
        return Asked(who, at, given)

    def _pass(self) -> None:
        jumps = JUMPS[:4] if self.busy else JUMPS
        self.now += timedelta(seconds=self.rng.choice(jumps) * self.rng.random())

    def _new(self) -> Addition:
        self.count += 1
        rng = self.rng
        name = rng.choice(BUSY if self.busy else NAMES)
        user = rng.choice(PEOPLE if self.busy else (*PEOPLE, None, None))
        anonymous = rng.choice(VISITORS) if user is None or rng.random() < 0.2 else None
        kind = EventKind.TRACK if name[0].isupper() or "_" in name else EventKind(name)
        late = (
            0.0
            if self.busy
            else rng.choice((0.0, 0.0, 1.0, 300.0, 9_000.0, 200_000.0, 3_000_000.0, -40_000.0))
        )
        event = Event(
            "t", f"m{self.count}", kind, name, "1-0-0", user, anonymous, rng.choice(ACCOUNTS),
            self.now - timedelta(seconds=late * rng.random()), self.now,
            {n: Tagged(v, rng.choice((BOTH, BOTH, SUPPORT))) for n, v in self._fields().items()},
            rng.choice((BOTH, BOTH, BOTH, SUPPORT)),
        )  # fmt: skip
        link = None
        if name == "identify" and user is not None and anonymous is not None:
            link = Link(anonymous, user, self.now, event.message_id)
        return Addition(event, link)

    def _fields(self) -> dict[str, str | int | float]:
        rng = self.rng
        some: dict[str, str | int | float] = {
            "error_code": rng.choice(("HBR-101", "HBR-403")),
            "step": rng.choice(("connect", "import")),
            "edits": rng.randint(1, 5),
            "dwell_s": rng.random() * 100,
            "idle_s": rng.random() * 50,
            "focus_blur": rng.randint(0, 3),
            "how": rng.choice(("never", "snoozed", "dismissed")),
            "role": rng.choice(("admin", "viewer")),
            "plan": rng.choice(("team", "growth")),
        }
        return {name: value for name, value in some.items() if rng.random() < 0.7}


@dataclass(frozen=True, slots=True)
class Online:
    """Decisions of a stream with their snapshots, and what was stored on the way."""

    asked: list[Asked]
    snapshots: list[Snapshot]
    stored: list[Event]
    links: list[Link]


async def run(seed: int, log: EventLog, store: FeatureStore, decisions: int = 6) -> Online:
    """As the server does it: append, catch up, decide; then more."""
    stream = Stream(Random(seed))
    done = Online([], [], [], [])
    updater = FeatureUpdater(log, store, features(), "t")
    online = Features(log, store, features())
    for _ in range(decisions):
        for each in stream.additions(25):
            (appended,) = await log.append("t", [each])
            if appended.number is not None:
                done.stored.append(each.event)
                if each.link is not None and not appended.merge_refused:
                    done.links.append(each.link)
            if stream.rng.random() < 0.3:
                await updater.catch_up()
        asked = stream.asked()
        await updater.catch_up()
        done.asked.append(asked)
        done.snapshots.append(await online.snapshot(asked.person, asked.at, asked.given))
    return done


def differences(one: Snapshot, other: Snapshot) -> dict[str, tuple[FeatureValue, FeatureValue]]:
    """Of more than 1e-9, or of category."""
    found: dict[str, tuple[FeatureValue, FeatureValue]] = {}
    assert one.values.keys() == other.values.keys()
    for name, value in one.values.items():
        twin = other.values[name]
        if isinstance(value, float) and isinstance(twin, float):
            if abs(value - twin) > 1e-9 * max(1.0, abs(value)):
                found[name] = (value, twin)
        elif value != twin:
            found[name] = (value, twin)
    return found
