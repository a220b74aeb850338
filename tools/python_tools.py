"""Typed Python functions as tools: the signature is the schema, the decorator the manifest.

    @tool(title="Create a project", tier=Tier.R2, effect=EffectClass.NATURAL, target="projects",
          arguments={"name": Argument("Name")},
          undo=Reversal("delete_project", "It can be deleted.",
                        lambda args, result, before: {"project": result["id"]}))
    async def create_project(name: Annotated[str, Field(max_length=80)], who: Principal) -> Project:
        ...

Parameters of type Principal and Attempt are filled in and are no arguments. What else a function
raises than a ToolError leaves its effect unknown.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, get_type_hints

from pydantic import ConfigDict, JsonValue, TypeAdapter, create_model
from pydantic import ValidationError as PydanticError

from tools.canonical import NotCanonicalError, b64url, canonical
from tools.numbers import parsed
from tools.tool import DriftError, NotSentError, RejectedError, Tool, ToolError, UncertainError
from tools.types import (
    Argument,
    Attempt,
    Done,
    EffectClass,
    Manifest,
    Principal,
    Target,
    Tier,
    ToolCall,
)

Plain = Mapping[str, JsonValue]
_GIVEN = (Principal, Attempt)


class PythonToolError(TypeError):
    """A function cannot be a tool; says which, why and how to mend it."""


@dataclass(frozen=True, slots=True)
class Reversal:
    """The tool that takes it back. `arguments` makes them of arguments, result and earlier state;
    None where it cannot be undone this time."""

    tool: str
    says: str
    arguments: Callable[[Plain, Plain, Plain | None], Plain | None]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What stands beside the function itself: it takes the same parameters, or fewer.

    `look` gives the present state as a Target; `read_back` the result of an earlier try, None when
    there was surely none.
    """

    function: Callable[..., Any]
    look: Callable[..., Any] | None = None
    read_back: Callable[..., Any] | None = None
    undo: Reversal | None = None


class PythonTool:
    """One function. `catalogue` finds the tool that undoes it; a module's tools share one."""

    def __init__(
        self, manifest: Manifest, behaviour: Behaviour, catalogue: Mapping[str, Tool]
    ) -> None:
        self._manifest = manifest
        self._behaviour = behaviour
        self._catalogue = catalogue

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    async def look(self, call: ToolCall, who: Principal) -> Target:
        if self._behaviour.look is None:
            return Target()
        target = await self._called(self._behaviour.look, call, who, None, writes=False)
        if not isinstance(target, Target):
            raise UncertainError("bad_look", "the function that looks must return a Target")
        return target if target.etag or not target.state else replace(target, etag=_hash(target))

    async def run(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done:
        writes = not self._manifest.reads_only
        before = await self._before(call, who, attempt)
        value = await self._called(self._behaviour.function, call, who, attempt, writes=writes)
        return await self._done(call, who, value, before)

    async def read_back(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done | None:
        if self._behaviour.read_back is None:
            raise UncertainError("no_read_back", "it cannot be told whether it happened")
        function = self._behaviour.read_back
        value = await self._called(function, call, who, attempt, writes=False)
        return None if value is None else await self._done(call, who, value, attempt.before)

    async def _before(self, call: ToolCall, who: Principal, attempt: Attempt) -> Plain | None:
        if attempt.before is not None or self._behaviour.undo is None:
            return attempt.before
        if self._behaviour.look is None:
            return None
        target = await self.look(call, who)
        same = attempt.etag is None or target.etag == attempt.etag
        if not same and not attempt.resumed:
            raise DriftError("target_changed", "it is not what was approved any more")
        return target.state if same else None

    async def _done(
        self, call: ToolCall, who: Principal, value: object, before: Plain | None
    ) -> Done:
        done = value if isinstance(value, Done) else _as_done(_result(value))
        undo = done.undo or self._undo(call, done, before)
        if undo is None or done.already:
            return replace(done, undo=None) if done.already else done
        try:
            etag = (await self._catalogue[undo.tool].look(undo, who)).etag
        except ToolError:  # which must not make a success a failure
            etag = None
        return replace(done, undo=undo, etag=done.etag or etag)

    def _undo(self, call: ToolCall, done: Done, before: Plain | None) -> ToolCall | None:
        reversal = self._behaviour.undo
        if reversal is None:
            return None
        arguments = reversal.arguments(call.arguments, done.result, before)
        if arguments is None:
            return None
        tool = self._catalogue[reversal.tool].manifest
        return ToolCall(tool.name, tool.version, arguments)

    async def _called(
        self,
        function: Callable[..., Any],
        call: ToolCall,
        who: Principal,
        attempt: Attempt | None,
        *,
        writes: bool,
    ) -> Any:
        """Raises ToolError only."""
        given = _arguments(function, call, who, attempt)
        try:
            if inspect.iscoroutinefunction(function):
                return await function(**given)
            return await asyncio.to_thread(function, **given)
        except ToolError:
            raise
        except Exception as failure:
            kind = UncertainError if writes else NotSentError
            raise kind("crashed", type(failure).__name__) from failure


def _arguments(
    function: Callable[..., Any], call: ToolCall, who: Principal, attempt: Attempt | None
) -> dict[str, Any]:
    """Typed values by name. Raises RejectedError for values that are not of their type."""
    hints = _hints(function)
    given: dict[str, Any] = {}
    for name, kind in hints.items():
        if kind is Principal:
            given[name] = who
        elif kind is Attempt:
            given[name] = attempt
        elif name in call.arguments:
            try:
                given[name] = TypeAdapter(kind).validate_python(call.arguments[name])
            except PydanticError as mistake:
                told = mistake.errors(include_input=False, include_url=False)[0]["msg"]
                raise RejectedError("bad_argument", f"{name}: {told}") from mistake
    return given


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    hints = get_type_hints(function, include_extras=True)
    hints.pop("return", None)
    return hints


def _result(value: object) -> dict[str, JsonValue]:
    body = parsed(TypeAdapter(type(value)).dump_json(value))
    match body:
        case dict():
            return body
        case list():
            return {"items": body}
        case None:
            return {}
        case _:
            return {"value": body}


def _as_done(result: dict[str, JsonValue]) -> Done:
    reference = result.get("id")
    return Done(result, effect_ref=reference if isinstance(reference, str) else "")


def _hash(target: Target) -> str:
    plain = json.dumps(target.state, sort_keys=True)
    return "state:" + hashlib.sha256(plain.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class ToolFunction:
    """A decorated function: still callable, and a tool once it is among its siblings."""

    manifest: Manifest
    behaviour: Behaviour

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.behaviour.function(*args, **kwargs)


@dataclass(frozen=True, slots=True)
class Options:
    """The optional parts of a manifest; see `Manifest`. `name`: the function's own if empty."""

    name: str = ""
    rights: frozenset[str] = frozenset()
    plans: frozenset[str] = frozenset()
    phrases: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    bulk: str = ""
    admin_values: Mapping[str, tuple[JsonValue, ...]] = field(default_factory=dict)
    remedies: Mapping[str, str] = field(default_factory=dict)
    retry_for_s: float = 0.0
    timeout_s: float = 10.0
    hidden: bool = False


def tool(  # noqa: PLR0913  # a manifest, by name
    *,
    title: str,
    tier: Tier,
    target: str,
    effect: EffectClass = EffectClass.NATURAL,
    arguments: Mapping[str, Argument] | None = None,
    look: Callable[..., Any] | None = None,
    read_back: Callable[..., Any] | None = None,
    undo: Reversal | None = None,
    options: Options | None = None,
) -> Callable[[Callable[..., Any]], ToolFunction]:
    """Make a function a tool. Raises PythonToolError where its signature cannot be a schema, or an
    argument has no label."""
    chosen = options or Options()

    def decorated(function: Callable[..., Any]) -> ToolFunction:
        schema = _schema(function)
        _check_labels(function, schema, arguments or {})
        source = inspect.getsource(function)
        manifest = Manifest(
            name=chosen.name or function.__name__,
            version=_version(schema, source, tier, effect),
            title=title,
            summary=(inspect.getdoc(function) or "").partition("\n")[0],
            source="python",
            target=target,
            schema=schema,
            arguments=arguments or {},
            tier=tier,
            effect=effect,
            rights=chosen.rights,
            undo=undo.says if undo else "",
            phrases=chosen.phrases,
            topics=chosen.topics,
            bulk=chosen.bulk,
            admin_values=chosen.admin_values,
            retry_for_s=chosen.retry_for_s,
            timeout_s=chosen.timeout_s,
            remedies=chosen.remedies,
            plans=chosen.plans,
            hidden=chosen.hidden,
        )
        return ToolFunction(manifest, Behaviour(function, look, read_back, undo))

    return decorated


def python_tools(functions: Iterable[ToolFunction]) -> tuple[PythonTool, ...]:
    """Tools that know each other. Raises PythonToolError where an undo is not among them."""
    catalogue: dict[str, Tool] = {}
    tools = [PythonTool(each.manifest, each.behaviour, catalogue) for each in functions]
    catalogue |= {each.manifest.name: each for each in tools}
    for each in tools:
        reversal = each._behaviour.undo
        if reversal is not None and reversal.tool not in catalogue:
            raise PythonToolError(
                f"{each.manifest.name}: its undo {reversal.tool} is not among the tools given"
            )
    return tuple(tools)


def _version(schema: Plain, source: str, tier: Tier, effect: EffectClass) -> str:
    """Changes with the function's text: that is what a call means."""
    plain = json.dumps([schema, source, int(tier), effect.value], sort_keys=True)
    return b64url(hashlib.sha256(plain.encode()).digest()[:12])


def _schema(function: Callable[..., Any]) -> dict[str, JsonValue]:
    signature = inspect.signature(function)
    hints = _hints(function)
    fields: dict[str, Any] = {}
    for name, parameter in signature.parameters.items():
        if name not in hints:
            raise PythonToolError(f"{function.__name__}: {name} has no type")
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise PythonToolError(f"{function.__name__}: *{name} cannot be an argument")
        if hints[name] not in _GIVEN:
            default = ... if parameter.default is parameter.empty else parameter.default
            fields[name] = (hints[name], default)
    model = create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **fields)
    schema: dict[str, JsonValue] = model.model_json_schema()
    schema.setdefault("properties", {})
    _check_numbers(function.__name__, hints, schema)
    return schema


def _check_numbers(name: str, hints: Mapping[str, Any], schema: Plain) -> None:
    for argument, kind in hints.items():
        if kind is float:
            told = "floats have no canonical form; take a Decimal"
            raise PythonToolError(f"{name}: {argument}: {told}")
    try:
        canonical(schema)
    except NotCanonicalError as problem:
        raise PythonToolError(f"{name}: {problem}") from problem


def _check_labels(
    function: Callable[..., Any], schema: Plain, arguments: Mapping[str, Argument]
) -> None:
    properties = schema["properties"]
    assert isinstance(properties, dict)
    for name in properties.keys() ^ arguments.keys():
        what = "has no label" if name in properties else "is no parameter"
        raise PythonToolError(f"{function.__name__}: argument {name} {what}")
