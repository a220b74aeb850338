"""A flow as a versioned YAML file; every mistake is reported with its line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PositiveFloat, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

from guardrails.labels import Integrity
from tools.flows.values import BadValueError, Known, holds, named
from tools.types import Argument, Choices, EffectClass, Manifest, OpenItem, Tier

SEEN = "seen"
"""What conditions of reminders call the result of their look."""
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class FlowFileError(ValueError):
    """What is wrong in a flow file, one `FILE:LINE: PLACE: MESSAGE` a mistake."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ChoicesEntry(_Part):
    tool: Name
    items: str
    value: str
    label: str


class ArgumentEntry(_Part):
    """JSON Schema of one argument, and how it is asked for."""

    schema_: Mapping[str, JsonValue] = Field(alias="schema")
    label: str
    required: bool = False
    needed_when: Mapping[str, list[JsonValue]] = Field(default_factory=dict)
    """Other argument -> values with which this one is required."""
    ask: str = ""
    hint: str = ""
    kind: str = ""
    fill: str = ""
    secret: bool = False
    integrity: Literal["untrusted", "tenant_doc", "user_typed", "operator"] = "user_typed"
    choices: ChoicesEntry | None = None


class Rule(_Part):
    """What to do when a step fails with one of these codes; `*` is any.

    fail: take everything back. continue: leave the step out. retry: again after `after_s`, at most
    `tries` times, then fail. `say` is what the user reads; `offer` a tool that may help then.
    """

    codes: tuple[str, ...]
    then: Literal["fail", "continue", "retry"]
    after_s: float = Field(default=60, ge=0)
    tries: int = Field(default=3, ge=1)
    say: str = ""
    offer: str = ""


class Find(_Part):
    """One item of the list at `in`: the first whose parts, by JSON pointer, equal the values."""

    in_: str = Field(alias="in")
    where: dict[str, JsonValue]


class Reading(_Part):
    """A call of a reading tool. With `find` its result is that item, or an empty object."""

    do: Name
    with_: dict[str, JsonValue] = Field(default_factory=dict, alias="with")
    find: Find | None = None


class Wait(Reading):
    """Read until `until` holds; `fails` ends the step with the code and detail at these pointers.

    Conditions see the reading as the step's result. At most `for_s` from the step's beginning.
    """

    until: JsonValue
    fails: JsonValue = None
    code: str = ""
    detail: str = ""
    every_s: float = Field(default=1, gt=0)
    for_s: float = Field(default=600, gt=0)


class Step(_Part):
    """One action. Left out unless `when` holds, and when `unless_read` finds it done already."""

    id: Name
    title: str
    do: Name
    with_: dict[str, JsonValue] = Field(default_factory=dict, alias="with")
    when: JsonValue = None
    done_if: JsonValue = None
    """Read `done_read` first: where this holds on it (as the step's result) nothing is done."""
    done_read: Reading | None = None
    wait: Wait | None = None
    on_error: tuple[Rule, ...] = ()
    keep: bool = False
    """Not taken back with the rest."""

    def rule(self, code: str) -> Rule | None:
        matching = (r for r in self.on_error if code in r.codes or "*" in r.codes)
        return next(matching, None)


class ReminderItem(_Part):
    """Something that may still be open afterwards: while `open` holds on the look's result, which
    conditions call `seen`."""

    id: Name
    title: str
    why: str
    open: JsonValue
    risk: Literal["high", "medium", "low"]


class Asked(_Part):
    """What a person says to pick a kit; `fill` is the fact that it may be inferred from."""

    label: str
    ask: str = ""
    hint: str = ""
    fill: str = ""


class Compare(Reading):
    """What is there of one kind: the list at `items` of a reading, by `name`."""

    items: str
    name: str = "/name"


class KitsEntry(_Part):
    """Makes the flow the action of starter kits: a person picks one by industry and persona and
    edits its `values`, labelled here; the flow's own arguments are the lists of that kit."""

    industry: Asked
    persona: Asked
    values: Mapping[Name, str] = Field(default_factory=dict)
    compare: Mapping[Literal["dashboards", "alerts"], Compare] = Field(default_factory=dict)


DAY_S = 86_400.0
AFTER_S: Mapping[str, tuple[float, ...]] = {
    "high": (DAY_S, 3 * DAY_S, 7 * DAY_S),
    "medium": (3 * DAY_S, 10 * DAY_S),
    "low": (7 * DAY_S,),
}
"""Risk -> when to say again that it is open. Our own choice: what endangers everybody comes the
next day, and nothing comes more often than three times."""


class Reminders(_Part):
    """What is said again after the flow has succeeded, until it is done or nobody wants to hear."""

    look: Reading
    items: tuple[ReminderItem, ...] = Field(min_length=1)
    after_s: Mapping[Literal["high", "medium", "low"], tuple[PositiveFloat, ...]] = Field(
        default_factory=dict
    )
    """In place of the usual times, in rising order."""

    def times(self, risk: Literal["high", "medium", "low"]) -> tuple[float, ...]:
        return self.after_s.get(risk, AFTER_S[risk])


class FlowDefinition(_Part):
    """A flow; `version` of its tool is this number and the hash of the file's content."""

    flow: Name
    version: int = Field(ge=1)
    title: str
    summary: str
    target: str
    tier: int = Field(ge=0, le=4)
    rights: tuple[str, ...] = ()
    undo: str = ""
    phrases: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    bulk: str = ""
    admin_values: Mapping[str, tuple[JsonValue, ...]] = Field(default_factory=dict)
    retry_for_s: float = 0
    timeout_s: float = Field(default=120, gt=0)
    arguments: dict[Name, ArgumentEntry] = Field(default_factory=dict)
    kits: KitsEntry | None = None
    look: Reading | None = None
    notes: tuple[str, ...] = ()
    steps: tuple[Step, ...] = Field(min_length=1)
    result: dict[str, JsonValue] = Field(default_factory=dict)
    commits_to: JsonValue = None
    """What the receipt commits to: its `effect_ref` is the SHA-256 of this value's canonical form
    (RFC 8785), the flow's own id without it."""
    reminders: Reminders | None = None

    def manifest(self) -> Manifest:
        """The flow as a tool."""
        content = self.model_dump_json(by_alias=True).encode()
        return Manifest(
            name=self.flow,
            version=f"{self.version}-{hashlib.sha256(content).hexdigest()[:12]}",
            title=self.title,
            summary=self.summary,
            source="flow",
            target=self.target,
            schema=self._schema(),
            arguments={name: _argument(entry) for name, entry in self.arguments.items()},
            tier=Tier(self.tier),
            effect=EffectClass.READ_BACK,
            rights=frozenset(self.rights),
            undo=self.undo,
            phrases=self.phrases,
            topics=self.topics,
            bulk=self.bulk,
            admin_values=self.admin_values,
            retry_for_s=self.retry_for_s,
            timeout_s=self.timeout_s,
            remedies={
                code: rule.offer
                for step in self.steps
                for rule in step.on_error
                if rule.offer
                for code in rule.codes
            },
        )

    def open_items(self) -> tuple[OpenItem, ...]:
        """What it reminds of, the riskiest first."""
        reminders = self.reminders
        if reminders is None:
            return ()
        items = sorted(reminders.items, key=lambda item: list(AFTER_S).index(item.risk))
        return tuple(
            OpenItem(item.id, item.title, item.why, item.risk, reminders.times(item.risk))
            for item in items
        )

    def _schema(self) -> dict[str, JsonValue]:
        conditions: list[JsonValue] = [
            {
                "if": {"properties": {other: {"enum": list(values)}}, "required": [other]},
                "then": {"required": [name]},
            }
            for name, entry in self.arguments.items()
            for other, values in entry.needed_when.items()
        ]
        schema: dict[str, JsonValue] = {
            "type": "object",
            "properties": {n: dict(e.schema_) for n, e in self.arguments.items()},
            "required": [name for name, entry in self.arguments.items() if entry.required],
            "additionalProperties": False,
        }
        return {**schema, "allOf": conditions} if conditions else schema

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """What no schema can say: (place, message)."""
        seen: list[str] = []
        for number, step in enumerate(self.steps):
            if step.id in seen:
                yield ("steps", number, "id"), f"{step.id} is there twice"
            if (step.done_if is None) != (step.done_read is None):
                yield ("steps", number), "done_if and done_read belong together"
            seen.append(step.id)
            yield from _unsound(("steps", number), step)
            yield from self._unknown(("steps", number), _templates(step), seen)
        yield from self._unknown(("result",), [self.result], seen)
        yield from self._unknown(("commits_to",), [self.commits_to], seen)
        if self.reminders is not None:
            yield from self._unsound_reminders(self.reminders)
        for name, entry in self.arguments.items():
            for other in entry.needed_when:
                if other not in self.arguments:
                    yield ("arguments", name, "needed_when"), f"there is no argument {other}"

    def _unsound_reminders(
        self, reminders: Reminders
    ) -> Iterator[tuple[tuple[str | int, ...], str]]:
        for risk, times in reminders.after_s.items():
            if not times or list(times) != sorted(times):
                yield ("reminders", "after_s", risk), "times rise, and there is at least one"
        for number, item in enumerate(reminders.items):
            place = ("reminders", "items", number)
            yield from _unsound_conditions(place, [item.open])
            yield from self._unknown(place, [item.open], [SEEN])

    def _unknown(
        self, place: tuple[str | int, ...], templates: Sequence[JsonValue], steps: Sequence[str]
    ) -> Iterator[tuple[tuple[str | int, ...], str]]:
        for kind, name in (pair for template in templates for pair in named(template)):
            if kind == "arg" and name not in self.arguments:
                yield place, f"there is no argument {name}"
            if kind == "result" and name not in steps:
                yield place, f"no step before this one is called {name}"


def _unsound(
    place: tuple[str | int, ...], step: Step
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    waits = [step.wait.until, step.wait.fails] if step.wait else []
    yield from _unsound_conditions(place, [step.when, step.done_if, *waits])


def _unsound_conditions(
    place: tuple[str | int, ...], conditions: Sequence[JsonValue]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Conditions that are none."""
    for condition in conditions:
        try:
            holds(condition, Known({}))
        except BadValueError as wrong:
            yield place, str(wrong)


def _templates(step: Step) -> list[JsonValue]:
    found: list[JsonValue] = [step.with_, step.when, step.done_if]
    for reading in (step.done_read, step.wait):
        if reading is not None:
            found += [reading.with_, reading.find.where if reading.find else None]
    if step.wait is not None:
        found += [step.wait.until, step.wait.fails]
    return found


def _argument(entry: ArgumentEntry) -> Argument:
    chosen = entry.choices
    choices = None
    if chosen is not None:
        choices = Choices(chosen.tool, chosen.items, chosen.value, chosen.label)
    return Argument(
        label=entry.label,
        integrity=Integrity[entry.integrity.upper()],
        secret=entry.secret,
        ask=entry.ask,
        hint=entry.hint,
        kind=entry.kind,
        fill=entry.fill,
        choices=choices,
    )


def read_flows(folder: Path) -> tuple[FlowDefinition, ...]:
    """Every `*.yaml` of the folder, by name. Raises FlowFileError with the mistakes of all."""
    flows: list[FlowDefinition] = []
    problems: list[str] = []
    for file in sorted(folder.glob("*.yaml")):
        try:
            flows.append(read_flow(file))
        except FlowFileError as failure:
            problems += failure.problems
    names = [flow.flow for flow in flows]
    problems += [f"{folder}: two flows are called {n}" for n in {*names} if names.count(n) > 1]
    if problems:
        raise FlowFileError(problems)
    return tuple(flows)


def read_flow(file: Path) -> FlowDefinition:
    """Raises FlowFileError."""
    yaml = YAML(typ="rt")
    try:
        tree = yaml.load(file.read_text("utf-8"))
    except MarkedYAMLError as failure:
        line = failure.problem_mark.line + 1 if failure.problem_mark else 1
        raise FlowFileError([f"{file}:{line}: {failure.problem}"]) from failure
    try:
        flow = FlowDefinition.model_validate(_plain(tree))
    except ValidationError as failure:
        raise FlowFileError(
            [_line(file, tree, error["loc"], error["msg"]) for error in failure.errors()]
        ) from failure
    if wrong := [_line(file, tree, place, message) for place, message in flow.problems()]:
        raise FlowFileError(wrong)
    return flow


def _plain(tree: Any) -> Any:
    """ruamel's nodes as plain dicts and lists, which is all that JsonValue takes."""
    match tree:
        case dict():
            return {str(name): _plain(inner) for name, inner in tree.items()}
        case list():
            return [_plain(inner) for inner in tree]
        case str():
            return str(tree)
        case _:
            return tree


def _line(file: Path, tree: Any, place: Sequence[str | int], message: str) -> str:
    """`FILE:LINE: PLACE: MESSAGE`, the line being that of the nearest node that exists."""
    line, here = 0, tree
    for part in place:
        match here:
            case CommentedMap() if part in here:
                line = here.lc.key(part)[0]
                here = here[part]
            case CommentedSeq() if isinstance(part, int) and part < len(here):
                line = here.lc.item(part)[0]
                here = here[part]
            case _:
                break
    return f"{file}:{line + 1}: {'.'.join(map(str, place))}: {message}"
