"""A journey or play as its file says it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from guardrails.consent import Purpose
from onboarding.journeys.pacing import Caps, EntryRule, Part, QuietEntry
from onboarding.rules import Duration, Rule
from onboarding.types import Mode, StepScope

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
Texts = dict[Annotated[str, Field(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")], str]
"""One sentence by locale."""
PERCENT: Final = 100


class Leave(StrEnum):
    """What ends a journey early."""

    GOAL = "goal"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    AUDIENCE_LEFT = "audience_left"


class Goal(Part):
    """What the journey is for. `within` is counted from its start and bounds what counts as
    activation; None, where a file does not say it, is refused by lint. With `scope: account` it
    counts whoever of the account reached it."""

    rule: Rule
    within: Duration | None = None
    scope: StepScope = StepScope.USER

    @model_validator(mode="before")
    @classmethod
    def _split(cls, given: Any) -> Any:
        """`{event: NAME, within: 14d}`: the time is the goal's, not the event's."""
        if not isinstance(given, dict) or "rule" in given:
            return given
        own = {key: given[key] for key in ("within", "scope") if key in given}
        return {"rule": {k: v for k, v in given.items() if k not in own}, **own}


class Step(Part):
    """One step: an action that the person takes, or a message that is sent.

    `when` leaves it out where it does not hold; `unless` and `done` complete it, the first where
    it was done before, with the evidence for it. Without either a recorded completion does.
    """

    id: Name
    action: Name | None = None
    send: Annotated[str, Field(pattern=r"^(in_app|email|sms|webhook)/[a-z0-9_-]+$")] | None = None
    title: Texts = Field(default_factory=dict)
    why: Texts = Field(default_factory=dict)
    effort: int = Field(default=1, ge=1, le=5)
    minutes: int | None = Field(default=None, ge=1, le=240)
    scope: StepScope = StepScope.USER
    after: tuple[Name, ...] = ()
    when: Rule | None = None
    unless: Rule | None = None
    done: Rule | None = None
    optional: bool = False
    show: Mode | None = None
    on_error: Name | None = None
    wait: Duration | None = None
    repeat: tuple[Duration, ...] = ()
    risk: Literal["high", "medium", "low"] | None = None
    kind: Name | None = None

    @model_validator(mode="after")
    def _one_deed(self) -> Step:
        if (self.action is None) == (self.send is None):
            raise ValueError("a step has one of action and send")
        if self.send is not None and (self.on_error or self.optional or self.show):
            raise ValueError("on_error, optional and show belong to steps with an action")
        if self.action is not None and (self.wait or self.repeat):
            raise ValueError("wait and repeat belong to steps that send")
        if list(self.repeat) != sorted(set(self.repeat)):
            raise ValueError("repeat rises")
        return self

    @property
    def is_action(self) -> bool:
        return self.action is not None


class Migration(Part):
    """How those who are on version `from` get to this one; `map` renames steps, `drop` names those
    that are gone."""

    from_: int = Field(alias="from", ge=1)
    map: dict[Name, Name] = Field(default_factory=dict)
    drop: tuple[Name, ...] = ()


def _percent(given: object) -> object:
    text = str(given)
    if not text.endswith("%"):
        raise ValueError("an effect is written as a percentage, such as 10%")
    return float(text[:-1]) / PERCENT


class ExperimentEntry(Part):
    """An experiment that the file declares; its shares are percent and sum to 100."""

    id: Name
    unit: Literal["account", "user"] = "account"
    arms: dict[Name, int] = Field(min_length=2)
    primary: Name
    mde: Annotated[
        float,
        Field(gt=0, le=1),
        BeforeValidator(_percent),
        WithJsonSchema({"type": "string", "pattern": r"^[0-9.]+%$"}),
    ]
    guardrails: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> ExperimentEntry:
        if sum(self.arms.values()) != PERCENT:
            raise ValueError(f"the arms sum to {sum(self.arms.values())}, not {PERCENT}")
        return self


class Journey(Part):
    """One version. `play` takes the place of `journey` in the file of a play, which also has a
    `kpi`; `goal` is then optional. A smaller `priority` wins."""

    name: Name
    version: int = Field(ge=1)
    kind: Literal["journey", "play"]
    owner: str = Field(min_length=1)
    title: Texts = Field(default_factory=dict)
    goal: Goal | None = None
    kpi: Name | None = None
    audience: Rule | None = None
    entry: EntryRule | None = None
    exit: tuple[Leave, ...] = (Leave.GOAL,)
    priority: int = Field(default=100, ge=0)
    exclusive: Name | None = None
    purpose: Purpose = Purpose.PRODUCT_ANALYTICS
    class_: Literal["ordinary", "transactional"] = Field(default="ordinary", alias="class")
    after_goal: bool = False
    kits: bool = False
    steps: tuple[Step, ...] = Field(min_length=1)
    caps: Caps = Caps()
    quiet: QuietEntry | None = None
    experiment: ExperimentEntry | None = None
    migrate: Migration | None = None

    @model_validator(mode="before")
    @classmethod
    def _kinded(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "kind" in given:
            return given
        kinds = [kind for kind in ("journey", "play") if kind in given]
        if len(kinds) != 1:
            raise ValueError("the file begins with journey: NAME or play: NAME")
        rest = {key: value for key, value in given.items() if key != kinds[0]}
        return {"name": given[kinds[0]], "kind": kinds[0], **rest}

    @property
    def ref(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    @property
    def actions(self) -> tuple[Step, ...]:
        """Without those that send."""
        return tuple(step for step in self.steps if step.is_action)

    def step(self, id: str) -> Step | None:
        return next((step for step in self.steps if step.id == id), None)
