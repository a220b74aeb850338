"""People with known role, intent, company size, industry and proficiency, and the events that they
leave behind: what classifiers are fitted on and judged by.

    world   a draw of how strongly each trait shows, and of how common each is: no two are alike
    person  truth -> a hazy, partial, dirty trail of events; a declared role that is wrong 15 %

What shows a trait shows it in part: each person has tastes of their own (a Dirichlet draw around
the mean of their traits), many do next to nothing, forms stay empty, some opened the wrong page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import JsonValue

from evals.profile_traits import SHOWN, TITLES, TRAITS
from guardrails.consent import Purpose, Tagged
from onboarding.types import Event, EventKind, History, Person, Seen, Snapshot

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
WRONG_ROLE = 0.15
ANALYTICS = frozenset({Purpose.PRODUCT_ANALYTICS})
REGIONS = ("americas", "europe", "asia")
_SHAKE = 0.35
"""Standard deviation of a world's change to the log-strength of what shows a trait."""
_TASTE = 6.0
"""Concentration of a person's tastes around the mean of their traits: smaller is hazier."""
_SILENT = 0.08
"""People of whom nothing but the sign-up is known."""
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Someone:
    """`truth` by fact; `declared` is what they would say when asked. `region` shows in nothing that
    a model may see, but for what follows from industry and source."""

    person: Person
    truth: Mapping[str, str]
    declared: Mapping[str, str]
    region: str
    history: History
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class World:
    """`shares` of each trait, and the log-strength of each shown thing by trait and value."""

    name: str
    shares: Mapping[str, Array]
    strength: Mapping[str, Array]
    rng: Generator

    @classmethod
    def drawn(cls, seed: int) -> World:
        rng = np.random.default_rng([0x70656F, seed])
        shares = {
            name: rng.dirichlet(
                8.0 * np.array(trait.shares) / sum(trait.shares) * len(trait.shares)
            )
            for name, trait in TRAITS.items()
        }
        rows = sum(len(trait.shares) for trait in TRAITS.values())
        strength = {
            family: shown.table(TRAITS) + rng.normal(0, _SHAKE, (rows, len(shown.things)))
            for family, shown in SHOWN.items()
        }
        return cls(f"world-{seed}", shares, strength, rng)


def people(world: World, count: int) -> list[Someone]:
    """Draws go on where the last call ended: people of one world are never the same twice."""
    return [_someone(world) for _ in range(count)]


def _someone(world: World) -> Someone:
    rng = world.rng
    drawn = {name: int(rng.choice(len(p), p=p)) for name, p in world.shares.items()}
    truth = {name: TRAITS[name].values[at] for name, at in drawn.items()}
    ident = f"{world.name}-{rng.integers(2**48):012x}"
    person = Person(world.name, f"u-{ident}", f"a-{ident}")
    trail = _Trail(person, rng)
    _sign_up(trail, world, drawn)
    if rng.random() >= _SILENT:
        _work(trail, world, drawn)
    region = _region(rng, drawn["industry"])
    return Someone(person, truth, _declared(rng, truth), region, trail.history(), _pace(rng, drawn))


def _hit(rng: Generator, share: float) -> bool:
    return bool(rng.random() < share)


def _declared(rng: Generator, truth: Mapping[str, str]) -> dict[str, str]:
    """Somebody who is wrong names another value, each as likely."""
    said = dict(truth)
    for name, share in (("role", WRONG_ROLE), *((n, 0.05) for n in truth if n != "role")):
        if rng.random() < share:
            said[name] = str(rng.choice([v for v in TRAITS[name].values if v != truth[name]]))
    return said


def _region(rng: Generator, industry: int) -> str:
    lean = np.array([0.40, 0.35, 0.25]) + 0.05 * np.roll([1, -1, 0], industry)
    return str(rng.choice(REGIONS, p=lean / lean.sum()))


def _pace(rng: Generator, drawn: Mapping[str, int]) -> Snapshot:
    """What features say: how long steps take against the median, and how often they fail. A third
    has taken too few steps for either."""
    level = drawn["proficiency"]
    values: dict[str, float | str] = {}
    if rng.random() > 1 / 3:
        values["hesitation"] = float(rng.normal((0.55, 0.0, -0.5)[level], 0.55))
        values["error_rate_28"] = float(rng.beta((4.0, 2.5, 1.6)[level], 12.0))
    return Snapshot(START, values, "people")


def _chances(world: World, family: str, drawn: Mapping[str, int], taste: float | None) -> Array:
    """Of each shown thing, for one person: their traits together, then their own taste."""
    offset, logs = 0, np.array(SHOWN[family].base)
    for name, trait in TRAITS.items():
        if name in SHOWN[family].affinity:
            logs = logs + world.strength[family][offset + drawn[name]]
        offset += len(trait.shares)
    shares = np.exp(logs - logs.max())
    shares /= shares.sum()
    if taste is None:
        return np.asarray(shares)
    return np.asarray(world.rng.dirichlet(taste * len(shares) * shares + 0.02))


def _pick(world: World, family: str, drawn: Mapping[str, int]) -> str:
    things = SHOWN[family].things
    return things[int(world.rng.choice(len(things), p=_chances(world, family, drawn, None)))]


def _sign_up(trail: _Trail, world: World, drawn: Mapping[str, int]) -> None:
    rng = world.rng
    fields: dict[str, JsonValue] = {
        "utm_source": _pick(world, "source", drawn),
        "plan": _pick(world, "plan", drawn),
        "domain_class": _pick(world, "domain", drawn),
    }
    if _hit(rng, 0.5):
        fields["utm_campaign"] = _pick(world, "campaign", drawn)
    if _hit(rng, 0.45):
        fields["job_title"] = _title(rng, drawn["role"])
    trail.add("signup_completed", fields)
    if _hit(rng, 0.3):
        trail.add("invitation_accepted", {"role": _pick(world, "invited_as", drawn)})
    if _hit(rng, 0.3):
        values = TRAITS["intent"].values
        knows = _hit(rng, 0.85)
        trail.add(
            "goal_answered", {"goal": values[drawn["intent"]] if knows else str(rng.choice(values))}
        )


def _title(rng: Generator, role: int) -> str:
    """One in six says another role's words."""
    of = role if rng.random() > 1 / 6 else int(rng.integers(len(TITLES)))
    return str(rng.choice(TITLES[of]))


def _work(trail: _Trail, world: World, drawn: Mapping[str, int]) -> None:
    for family, (event, name, mean) in _DOES.items():
        chances = _chances(world, family, drawn, _TASTE)
        count = int(world.rng.negative_binomial(1.5, 1.5 / (1.5 + mean)))
        for thing in world.rng.choice(SHOWN[family].things, size=count, p=chances):
            kind = EventKind.PAGE if event == "page" else EventKind.TRACK
            trail.add(event, {name: str(thing)}, kind)
    _count(trail, world.rng, drawn)


_DOES = {
    "page": ("page", "name", 9.0),
    "clicked": ("action_clicked", "action", 2.5),
    "permission": ("permission_used", "scope", 1.2),
    "connector": ("source_connected", "connector", 1.3),
    "template": ("template_used", "template", 1.0),
}
"""Family -> event, field, and how often on average (negative binomial: many do little)."""


def _count(trail: _Trail, rng: Generator, drawn: Mapping[str, int]) -> None:
    """What is told by how often: colleagues, shortcuts, calls of the API, help, undoing."""
    level, developer = drawn["proficiency"], drawn["role"] == _DEVELOPER
    here = 1 + int(np.exp(rng.normal(0.3 + 0.9 * drawn["size"], 0.65)))
    if _hit(rng, 0.7):
        trail.add("members_counted", {"members": here}, by_colleague=True)
    for _ in range(int(rng.poisson(0.15 + 0.35 * drawn["size"]))):
        trail.add("team_created", {}, by_colleague=True)
    for event, mean in (
        ("shortcut_used", (0.2, 0.8, 2.5)[level]),
        ("api_called", (0.05, 0.3, 0.9)[level] + (1.5 if developer else 0.0)),
        ("help_opened", (2.0, 1.0, 0.4)[level]),
        ("change_undone", 0.8),
    ):
        for _ in range(int(rng.negative_binomial(1.0, 1.0 / (1.0 + mean)))):
            trail.add(event, {})


_DEVELOPER = TRAITS["role"].values.index("developer")


class _Trail:
    """Events of one person: some twice, some out of order, some without consent to a field."""

    def __init__(self, person: Person, rng: Generator) -> None:
        self._person = person
        self._rng = rng
        self._events: list[Event] = []

    def add(
        self,
        name: str,
        fields: Mapping[str, JsonValue],
        kind: EventKind = EventKind.TRACK,
        *,
        by_colleague: bool = False,
    ) -> None:
        rng, own = self._rng, self._person.user
        at = START + timedelta(minutes=float(rng.exponential(60 * 24)))
        kept = {n: Tagged(v, ANALYTICS) for n, v in fields.items() if not _hit(rng, 0.03)}
        event = Event(
            tenant=self._person.tenant,
            message_id=f"m-{rng.integers(2**62):016x}",
            kind=kind,
            name=name,
            version="1-0-0",
            user=f"{own}-colleague" if by_colleague else own,
            anonymous=None,
            account=self._person.account,
            occurred_at=at,
            received_at=at + timedelta(seconds=float(rng.exponential(30))),
            fields=kept,
        )
        self._events.extend([event] * (2 if _hit(rng, 0.05) else 1))

    def history(self) -> History:
        order = self._rng.permutation(len(self._events))
        recent = tuple(self._events[at] for at in order)
        seen: dict[str, Seen] = {}
        for event in recent:
            old = seen.get(event.name, Seen(0, event.occurred_at, event.occurred_at))
            first, last = min(old.first, event.occurred_at), max(old.last, event.occurred_at)
            seen[event.name] = Seen(old.count + 1, first, last)
        return History(seen, recent)
