"""The policy file: which operations are tools, and everything that the target does not say.

Field by field in docs/tools.md. Unknown keys are mistakes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from guardrails.labels import Integrity
from tools.policy.mapping import MappingError, placeholders
from tools.types import Argument, Choices, EffectClass, Tier


def _readable(template: JsonValue) -> JsonValue:
    """Raises ValueError where a placeholder cannot be read."""
    try:
        list(placeholders(template))
    except MappingError as mistake:
        raise ValueError(str(mistake)) from mistake
    return template


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Pointer = Annotated[str, Field(pattern=r"^(/.*)?$")]
Template = Annotated[JsonValue, AfterValidator(_readable)]
Templates = Mapping[str, Template]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class EtagPolicy(Part):
    """The header that carries an object's version, and the one that makes a change depend on it."""

    header: HeaderName = "ETag"
    send: HeaderName = "If-Match"


class ErrorPointers(Part):
    """Where an error answer says what is wrong."""

    code: Pointer = "/code"
    detail: Pointer = "/detail"


class Pages(Part):
    """How the next page of a list is asked for."""

    argument: str
    next: Pointer
    most: int = Field(default=20, ge=1, le=200)


class SourcePart(Part):
    """What every source has. `namespace` goes before the names of its tools, with `_`."""

    title: str
    namespace: Annotated[str, Field(pattern=r"^([a-z][a-z0-9]{0,31})?$")] = ""
    hosts: tuple[str, ...] = ()
    credential: str = ""
    timeout_s: float = Field(default=10.0, gt=0, le=120)


class OpenApiSource(SourcePart):
    """`document` is a file beside the policy file, or an address on `hosts`."""

    kind: Literal["openapi"]
    document: str
    base_url: str
    headers: Mapping[HeaderName, str] = Field(default_factory=dict)
    idempotency_header: str = ""
    etag: EtagPolicy | None = None
    errors: ErrorPointers = ErrorPointers()
    pages: Pages | None = None
    envelope: Pointer = ""
    fixed: Templates = Field(default_factory=dict)


class McpSource(SourcePart):
    """A server that is started (`command`) or reached (`url`)."""

    kind: Literal["mcp"]
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = Field(default_factory=dict)
    url: str = ""
    errors: ErrorPointers = ErrorPointers()

    @model_validator(mode="after")
    def _one_way(self) -> McpSource:
        if bool(self.command) == bool(self.url):
            raise ValueError("name either `command` (stdio) or `url` (streamable HTTP)")
        return self


Source = Annotated[OpenApiSource | McpSource, Field(discriminator="kind")]


class ChoicesEntry(Part):
    tool: Name
    items: Pointer
    value: str
    label: str

    def as_choices(self, prefix: str) -> Choices:
        return Choices(prefix + self.tool, self.items, self.value, self.label)


class ArgumentEntry(Part):
    """One argument. `field` is where it goes: a parameter's name, `query:NAME` and the like, or a
    pointer into the body; the argument's own name when not given."""

    label: str
    field: str = ""
    integrity: Literal["untrusted", "tenant_doc", "user_typed", "operator"] = "user_typed"
    secret: bool = False
    ask: str = ""
    hint: str = ""
    kind: str = ""
    fill: str = ""
    choices: ChoicesEntry | None = None
    required: bool | None = None
    default: JsonValue = None
    values: tuple[JsonValue, ...] = ()
    nullable: bool = False

    def as_argument(self, prefix: str) -> Argument:
        """`prefix` is put before the names of tools of the same source."""
        return Argument(
            label=self.label,
            integrity=Integrity[self.integrity.upper()],
            secret=self.secret,
            ask=self.ask,
            hint=self.hint,
            kind=self.kind,
            fill=self.fill,
            choices=self.choices.as_choices(prefix) if self.choices else None,
        )


class Find(Part):
    """Which element of a list is meant: every pointer holds its value. `in` names the list."""

    in_: Pointer = Field(alias="in")
    where: Templates = Field(min_length=1)


class Reading(Part):
    """A reading operation, its arguments, and which part of the answer is meant."""

    operation: str
    arguments: Templates = Field(default_factory=dict)
    find: Find | None = None


class Look(Reading):
    """The present state: `shown` names, mostly arguments, to pointers into what was read.

    `may_be_absent`: that nothing is there is a state too, as before something is made.
    `version` is what voids an approval when it changes: `target` the target's own version, where
    it has one; `shown` what was shown, so that an undo still fits after other fields changed.
    """

    may_be_absent: bool = False
    version: Literal["target", "shown"] = "target"
    label: Template = ""
    shown: Mapping[str, Pointer] = Field(default_factory=dict)


class ReadBack(Reading):
    """How to see that an effect happened: an element is found, values are as expected, or the thing
    is gone."""

    expect: Templates = Field(default_factory=dict)
    gone: bool = False

    @model_validator(mode="after")
    def _says_what(self) -> ReadBack:
        if bool(self.expect) == self.gone and self.find is None:
            raise ValueError("name one of `find`, `expect` and `gone`")
        return self


class Undo(Part):
    """The tool that takes it back, or why there is none. `says` is read by the user."""

    none: str = ""
    tool: Name | None = None
    arguments: Templates = Field(default_factory=dict)
    says: str = ""

    @model_validator(mode="after")
    def _one_of_two(self) -> Undo:
        if bool(self.none) == bool(self.tool):
            raise ValueError("name either `tool`, or with `none` the reason why there is none")
        if self.tool and not self.says:
            raise ValueError("`says` is missing: what the user reads about taking it back")
        return self


class Answered(Part):
    """An answer by its status and, where given, its code."""

    status: int
    code: str | None = None

    def fits(self, status: int, code: str) -> bool:
        return self.status == status and self.code in (None, code)


class PartialRule(Part):
    """A list in the answer whose elements each stand alone: `ok` pointers hold one of the values
    where that element was done."""

    items: Pointer
    ok: Mapping[Pointer, tuple[JsonValue, ...]] = Field(min_length=1)


class ToolEntry(Part):
    """One tool. `operation` is an operationId, `METHOD /path`, or the name of an MCP tool; the
    tool's own name when not given. `reads` says of a POST that it changes nothing.
    `one_of`: the first of two arguments is needed unless the second is given."""

    source: str
    operation: str = ""
    title: str
    summary: str = ""
    tier: Literal["R0", "R1", "R2", "R3", "R4"]
    effect: Literal["K", "N", "R", "O"] | None = None
    rights: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()
    arguments: Mapping[Name, ArgumentEntry] = Field(default_factory=dict)
    fixed: Templates = Field(default_factory=dict)
    look: Look | None = None
    read_back: ReadBack | None = None
    undo: Undo | None = None
    already: tuple[Answered, ...] = ()
    partial: PartialRule | None = None
    each: Mapping[Name, str] = Field(default_factory=dict)
    result: Mapping[str, Pointer] = Field(default_factory=dict)
    effect_ref: Pointer = "/id"
    phrases: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    bulk: str = ""
    admin_values: Mapping[Name, tuple[JsonValue, ...]] = Field(default_factory=dict)
    remedies: Mapping[str, Name] = Field(default_factory=dict)
    retry_for_s: float = Field(default=0.0, ge=0)
    timeout_s: float | None = Field(default=None, gt=0, le=120)
    hidden: bool = False
    reads: bool = False
    pin: str = ""
    one_of: tuple[Name, Name] | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> ToolEntry:
        if self.effect is None and self.tier != "R0":
            raise ValueError("`effect` is missing: K, N, R or O, as a tool that writes needs one")
        if len(self.each) > 1:
            raise ValueError("`each` names one argument only")
        for where, names in self._named().items():
            for name in names:
                if name not in self.arguments:
                    raise ValueError(f"`{where}` names {name}, which is no argument of this tool")
        return self

    def _named(self) -> Mapping[str, Collection[str]]:
        """Arguments that other keys speak of."""
        return {
            "each": self.each,
            "admin_values": self.admin_values,
            "one_of": self.one_of or (),
            "bulk": (self.bulk,) if self.bulk else (),
        }

    @property
    def level(self) -> Tier:
        return Tier[self.tier]

    @property
    def effect_class(self) -> EffectClass:
        return EffectClass(self.effect or "N")


class Policy(Part):
    """A whole file."""

    version: Literal[1]
    sources: Mapping[str, Source]
    tools: Mapping[Name, ToolEntry]
