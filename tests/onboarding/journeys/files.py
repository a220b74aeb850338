"""Small files of journeys, plays, kits and guides, and what they are linted against."""

from __future__ import annotations

from collections.abc import Iterable

from onboarding.journeys import Catalogue, Source, defined
from onboarding.journeys.lint import Known, Published, lint
from onboarding.rules import DataFileError, Form, Typed, Vocabulary, data_of

TEXT = "{en: a, de: b}"
VOCABULARY = Vocabulary(
    events={
        "Signed Up": {},
        "Connected": {"connector": Typed(Form.TEXT, frozenset({"stripe", "csv"}))},
        "Viewed": {},
        "Shared": {},
        "Invited": {},
    },
    features={"days": Typed(Form.NUMBER)},
    facts={
        "role": frozenset({"admin", "end_user"}),
        "industry": frozenset({"fintech"}),
        "proficiency": frozenset({"novice", "intermediate", "advanced"}),
    },
    states={"plan": Typed(Form.TEXT, frozenset({"free", "team"})), "mfa": Typed(Form.FLAG)},
)
KNOWN = Known(
    vocabulary=VOCABULARY,
    actions=frozenset({"connect", "view", "share", "invite", "mend", "kit"}),
    flows=frozenset({"apply_kit"}),
    templates=frozenset({"email/help", "in_app/tip"}),
    metrics=frozenset({"activated", "unsubscribed"}),
    media=frozenset({"clip.webm", "clip.en.vtt", "clip.de.vtt"}),
)
GOAL = "goal: {event: Viewed, within: 14d}"
STEPS = f"""\
steps:
  - {{id: connect, action: connect, title: {TEXT}, why: {TEXT}, done: {{event: Connected}}}}
  - {{id: view, action: view, after: [connect], title: {TEXT}, why: {TEXT},
     done: {{event: Viewed}}}}
"""
CAPS = "caps: {in_app: 3/session, email: {max: 1, per: 24h, window: rolling}}"


def journey(*more: str, name: str = "first", version: int = 1, steps: str = STEPS) -> str:
    """Without a goal unless `more` has one."""
    lines = [f"journey: {name}", f"version: {version}", "owner: growth", f"title: {TEXT}", *more]
    return "\n".join(lines) + "\n" + steps


def play(*more: str, steps: str = STEPS) -> str:
    lines = ["play: push", "version: 1", "owner: growth", f"title: {TEXT}", *more]
    return "\n".join(lines) + "\n" + steps


def kit(*more: str) -> str:
    lines = [
        "kit: fintech-admin",
        "version: 1",
        "owner: growth",
        f"title: {TEXT}",
        *more,
    ]
    return "\n".join(lines) + "\n"


def guide(*more: str, kind: str = "tooltip") -> str:
    lines = [
        "guide: hint",
        "version: 1",
        f"kind: {kind}",
        "owner: growth",
        f"title: {TEXT}",
        *more,
    ]
    return "\n".join(lines) + "\n"


def catalogue(*texts: str) -> Catalogue:
    """Of files `1.yaml`, `2.yaml`, .."""
    numbered = enumerate(texts, start=1)
    return Catalogue(defined(data_of(text, f"{number}.yaml")) for number, text in numbered)


def findings(*texts: str, published: Iterable[Source] = ()) -> list[tuple[str, str]]:
    """Code and message of all that is wrong; `invalid` for what no file may say."""
    ever = {(each.kind.value, each.name, each.version): each for each in published}
    current = {(each.kind.value, each.name): each.version for each in published}
    try:
        found = lint(catalogue(*texts), KNOWN, Published(ever, current))
    except DataFileError as wrong:
        return [("invalid", told) for told in wrong.problems]
    return [(each.code, each.told) for each in found]


def source(text: str) -> Source:
    return defined(data_of(text, "published.yaml")).source
