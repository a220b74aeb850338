"""A rule as files write it: a tree of clauses, one clause a mapping.

all | any | not | event | feature.NAME | profile.NAME | state.NAME | stalled | experiment
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Union

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError
from typing_extensions import override

from onboarding.rules.comparing import COMPARISON_SCHEMA, CONFIDENT_SCHEMA, Compared, Op, Scalar
from onboarding.rules.durations import Duration
from onboarding.rules.files import did_you_mean
from onboarding.types import CONFIDENT

_NAMED: Final = ("feature", "profile", "state")
KINDS: Final = ("all", "any", "not", "event", *_NAMED, "stalled", "experiment")


class _Clause(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class All(_Clause):
    """Every one of them holds."""

    all: tuple[Rule, ...] = Field(min_length=1)


class AnyOf(_Clause):
    """One of them holds."""

    any: tuple[Rule, ...] = Field(min_length=1)


class Not(_Clause):
    """It does not hold; what is not known does not hold either."""

    not_: Rule = Field(alias="not")


class Happened(_Clause):
    """This event, at least so often, within the time before now; ever without a time."""

    event: str = Field(min_length=1)
    within: Duration | None = None
    where: dict[str, Scalar] = Field(default_factory=dict)
    at_least: int = Field(default=1, ge=1)


def _by_name(kind: str, test: dict[str, Any] = COMPARISON_SCHEMA) -> dict[str, Any]:
    """JSON Schema of a clause whose name is part of its key."""
    return {
        "type": "object",
        "patternProperties": {rf"^{kind}\..+$": test},
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": {},
        "required": [],
    }


class _Named(_Clause):
    name: str
    test: Compared

    @model_validator(mode="before")
    @classmethod
    def _split(cls, given: Any) -> Any:
        """`{feature.NAME: TEST}`."""
        if not isinstance(given, dict) or "name" in given:
            return given
        return cls._parts(*next(iter(given.items())))

    @classmethod
    def _parts(cls, key: str, test: Any) -> dict[str, Any]:
        return {"name": key.split(".", 1)[1], "test": test}


class FeatureIs(_Named):
    """A feature of the person's snapshot."""

    model_config = ConfigDict(json_schema_extra=_by_name("feature"))


class StateIs(_Named):
    """A state of the product, as its own API said last."""

    model_config = ConfigDict(json_schema_extra=_by_name("state"))


class FactIs(_Named):
    """A fact of the profile; an inferred one below `confidence` is unknown."""

    model_config = ConfigDict(json_schema_extra=_by_name("profile", CONFIDENT_SCHEMA))
    confidence: float = Field(default=CONFIDENT, ge=CONFIDENT, le=1)

    @classmethod
    @override
    def _parts(cls, key: str, test: Any) -> dict[str, Any]:
        parts = super()._parts(key, test)
        if not isinstance(test, dict) or "confidence" not in test:
            return parts
        text = str(test["confidence"]).removeprefix(">=").strip()
        rest = {key: value for key, value in test.items() if key != "confidence"}
        return {**parts, "test": rest, "confidence": text}


class Risk(_Clause):
    """Of a step that is not taken any more."""

    step: str
    risk: Compared

    @model_validator(mode="after")
    def _is_a_chance(self) -> Risk:
        bound = self.risk.values[0]
        if self.risk.op not in (Op.AT_LEAST, Op.MORE, Op.AT_MOST, Op.LESS):
            raise ValueError('a risk is compared, such as ">=0.3"')
        if not 0 <= float(bound) <= 1:
            raise ValueError(f"a risk lies between 0 and 1, {bound} does not")
        return self


class Stalled(_Clause):
    stalled: Risk


class InArm(_Clause):
    """This unit's arm of an experiment; no arm where it is not part of it."""

    experiment: str = Field(min_length=1)
    arm: Compared


def _kind(clause: Any) -> str:
    """The mark in front keeps it apart from the key of a file in the places of errors."""
    if isinstance(clause, BaseModel):
        return _TAGS[type(clause)]
    return "?" + str(next(iter(clause), "")).split(".", 1)[0]


def _one_clause(given: Any) -> Any:
    """Exactly one known kind, or an error that says which there are."""
    if isinstance(given, BaseModel):
        return given
    if not isinstance(given, dict) or not given:
        raise PydanticCustomError("no_rule", "a rule is a mapping such as {event: NAME}")
    first, *others = [key for key in given if str(key).split(".", 1)[0] in KINDS] or [""]
    if others:
        both = f"{first} and {others[0]}"
        raise PydanticCustomError(
            "two_clauses", "{both} stand in one mapping; write all: [..]", {"both": both}
        )
    if not first:
        key = str(next(iter(given)))
        near = did_you_mean(key.split(".", 1)[0], KINDS)
        raise PydanticCustomError(
            "unknown_clause", "there is no clause {key}{near}", {"key": key, "near": near}
        )
    return _shaped(given, first)


def _shaped(given: dict[str, Any], first: str) -> dict[str, Any]:
    kind, _, name = first.partition(".")
    if (kind in _NAMED) != bool(name):
        form = f"{kind}.NAME" if kind in _NAMED else kind
        raise PydanticCustomError("unnamed", "write {form}: ..", {"form": form})
    if kind in _NAMED and len(given) > 1:
        other = next(key for key in given if key != first)
        raise PydanticCustomError("extra_key", "{other} has no place here", {"other": other})
    return {first: given[first], **{key: value for key, value in given.items() if key != first}}


_TAGS: Final[dict[type[BaseModel], str]] = {
    All: "?all",
    AnyOf: "?any",
    Not: "?not",
    Happened: "?event",
    FeatureIs: "?feature",
    FactIs: "?profile",
    StateIs: "?state",
    Stalled: "?stalled",
    InArm: "?experiment",
}
Rule = Annotated[
    Union[  # noqa: UP007 - the members are strings until the models are complete
        Annotated[All, Tag("?all")],
        Annotated[AnyOf, Tag("?any")],
        Annotated[Not, Tag("?not")],
        Annotated[Happened, Tag("?event")],
        Annotated[FeatureIs, Tag("?feature")],
        Annotated[FactIs, Tag("?profile")],
        Annotated[StateIs, Tag("?state")],
        Annotated[Stalled, Tag("?stalled")],
        Annotated[InArm, Tag("?experiment")],
    ],
    Discriminator(_kind),
    BeforeValidator(_one_clause),
]
for _model in _TAGS:
    _model.model_rebuild()
