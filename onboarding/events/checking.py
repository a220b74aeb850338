"""A contract -> a function that checks what an event holds, made once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from onboarding.events.contracts import CONTEXT, Contract, FieldSpec, FieldType, Identity
from onboarding.events.messages import Envelope, moment
from onboarding.events.verdicts import Code, Reason

MAX_LIST: Final = 50
MAX_FIELD: Final = 100
MAX_NUMBER: Final = 2**53
"""Beyond it JSON readers do not agree on an integer (RFC 8259, 6)."""
_TYPES: Final[Mapping[type, str]] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}
Fits = Callable[[Any], bool]


class Checked(NamedTuple):
    """`values` are by their name in `Event.fields`; `dropped` names what was left out."""

    values: dict[str, Any]
    reasons: tuple[Reason, ...]
    dropped: tuple[str, ...]


class Checker:
    """Of one contract. A property that does not fit breaks it; a part of the context that does not
    is left out, since senders fill it with what they like."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        specs = contract.fields.values()
        own = [spec for spec in specs if not spec.name.startswith(CONTEXT)]
        self._fits = {spec.name: _fits(spec) for spec in own}
        self._required = tuple(spec.name for spec in own if spec.required)
        self._context: dict[str, list[tuple[str, tuple[str, ...], Fits]]] = {}
        for spec in specs:
            if spec.name.startswith(CONTEXT):
                top, *rest = spec.name.removeprefix(CONTEXT).split(".")
                here = self._context.setdefault(top, [])
                here.append((spec.name, tuple(rest), _fits(spec)))
        self._identity = tuple((kind, kind.value) for kind in sorted(contract.identity, key=_value))

    def check(self, envelope: Envelope) -> Checked:
        values: dict[str, Any] = {}
        reasons: list[Reason] = []
        dropped: list[str] = []
        for name, value in envelope.properties.items():
            if value is None:
                continue
            fits = self._fits.get(name)
            if fits is None:
                self._unplanned(name, reasons, dropped)
            elif fits(value):
                values[name] = value
            else:
                reasons.append(Reason(Code.DATATYPE_MISMATCH, name))
        self._missing(envelope, reasons)
        if envelope.context:
            self._add_context(envelope.context, values, dropped)
        return Checked(values, tuple(reasons), tuple(dropped))

    def _unplanned(self, name: Any, reasons: list[Reason], dropped: list[str]) -> None:
        if self.contract.extra == "drop":
            dropped.append(clean(name))
        else:
            reasons.append(Reason(Code.ADDITIONAL_PROPERTIES, clean(name)))

    def _missing(self, envelope: Envelope, reasons: list[Reason]) -> None:
        for name in self._required:
            if envelope.properties.get(name) is None:
                reasons.append(Reason(Code.REQUIRED_MISSING, name))
        for kind, name in self._identity:
            if _given(envelope, kind) is None:
                reasons.append(Reason(Code.REQUIRED_MISSING, name))

    def _add_context(
        self, context: Mapping[str, Any], values: dict[str, Any], dropped: list[str]
    ) -> None:
        for top in context.keys() & self._context.keys():
            for name, path, fits in self._context[top]:
                value = _inside(context[top], path)
                if value is None:
                    continue
                if fits(value):
                    values[name] = value
                else:
                    dropped.append(name)


def _inside(value: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def clean(name: object) -> str:
    """A sender's name of a field as it may be stored."""
    return str(name)[:MAX_FIELD].replace("\0", "")


def type_of(value: Any) -> str:
    """The JSON type of a value, for the shape of what is not kept."""
    return _TYPES.get(type(value), "null")


def _given(envelope: Envelope, kind: Identity) -> str | None:
    match kind:
        case Identity.USER:
            return envelope.user
        case Identity.ANONYMOUS:
            return envelope.anonymous
        case Identity.ACCOUNT:
            return envelope.account


def _value(kind: Identity) -> str:
    return kind.value


def _fits(spec: FieldSpec) -> Fits:
    match spec.type:
        case FieldType.STRING:
            return _text(spec)
        case FieldType.STRINGS:
            one = _text(spec)
            return lambda v: isinstance(v, list) and len(v) <= MAX_LIST and all(map(one, v))
        case FieldType.BOOLEAN:
            return lambda v: isinstance(v, bool)
        case FieldType.TIME:
            return lambda v: moment(v) is not None
        case FieldType.INTEGER:
            within = _within(spec)
            return lambda v: within(v) and (isinstance(v, int) or v.is_integer())
        case FieldType.NUMBER:
            return _within(spec)


def _text(spec: FieldSpec) -> Fits:
    if spec.values:
        known = frozenset(spec.values)
        return lambda v: isinstance(v, str) and v in known
    most = math.inf if spec.most is None else spec.most
    return lambda v: isinstance(v, str) and len(v) <= most and "\0" not in v


def _within(spec: FieldSpec) -> Fits:
    least = -MAX_NUMBER if spec.least is None else spec.least
    most = MAX_NUMBER if spec.most is None else spec.most

    def fits(value: Any) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and math.isfinite(value) and least <= value <= most

    return fits
