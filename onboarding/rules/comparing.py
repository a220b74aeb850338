"""`">=0.6"`, `admin`, `{in: [a, b]}`: one comparison of one value."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

Scalar = bool | int | float | str


class Op(StrEnum):
    """How a value is held against those of a rule."""

    AT_LEAST = ">="
    AT_MOST = "<="
    MORE = ">"
    LESS = "<"
    IS = "is"
    NOT = "not"
    IN = "in"
    NOT_IN = "not_in"


ORDER: Final[dict[Op, Callable[[Any, Any], bool]]] = {
    Op.AT_LEAST: operator.ge,
    Op.AT_MOST: operator.le,
    Op.MORE: operator.gt,
    Op.LESS: operator.lt,
}
"""Those that need a number."""
_ORDERED: Final = re.compile(r"(>=|<=|>|<)\s*(.*)", re.DOTALL)
_FORMS: Final = 'a value, a comparison such as ">=0.6", or {is|not|in|not_in: ..}'


class Comparison(BaseModel):
    """One operator and what it compares with; several values for `in` and `not_in` alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    op: Op
    values: tuple[Scalar, ...]

    def compiled(self) -> Callable[[Any], bool]:
        """None, which is what is not known, satisfies nothing."""
        if self.op in ORDER:
            return _ordered(ORDER[self.op], float(self.values[0]))
        wanted = frozenset(map(_keyed, self.values))
        if self.op in (Op.IS, Op.IN):
            return lambda value: value is not None and _keyed(value) in wanted
        return lambda value: value is not None and _keyed(value) not in wanted


def compared(given: object) -> object:
    """What a file writes as the fields of `Comparison`. Raises ValueError."""
    match given:
        case Comparison():
            return given
        case str() if found := _ORDERED.fullmatch(given):
            return {"op": found[1], "values": (_number(found[2], given),)}
        case bool() | int() | float() | str():
            return {"op": Op.IS, "values": (given,)}
        case dict() if len(given) == 1:
            return _worded(*next(iter(given.items())))
        case _:
            raise ValueError(f"expected {_FORMS}")


def _worded(op: object, value: object) -> object:
    match op, value:
        case (("is" | "not"), (bool() | int() | float() | str())):
            return {"op": op, "values": (value,)}
        case (("in" | "not_in"), [_, *_] as values):
            return {"op": op, "values": tuple(values)}
        case _:
            raise ValueError(f"expected {_FORMS}")


def _number(text: str, whole: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f'{whole!r} compares with no number; write it as ">=0.6"') from None


def _ordered(order: Callable[[Any, Any], bool], bound: float) -> Callable[[Any], bool]:
    def holds(value: Any) -> bool:
        return isinstance(value, int | float) and order(value, bound)

    return holds


def _keyed(value: Any) -> Any:
    """True and 1 are two things here."""
    return ("flag", value) if isinstance(value, bool) else value


_SCALAR: Final = {"type": ["boolean", "number", "string"]}
_MANY: Final = {"type": "array", "items": _SCALAR, "minItems": 1}
_WORDS: Final = {"is": _SCALAR, "not": _SCALAR, "in": _MANY, "not_in": _MANY}


def _schema(extra: dict[str, Any]) -> dict[str, Any]:
    """JSON Schema of what `compared` takes, with keys beside the comparison's own."""
    worded = [
        {
            "type": "object",
            "properties": {name: schema, **extra},
            "required": [name],
            "additionalProperties": False,
        }
        for name, schema in _WORDS.items()
    ]
    return {"description": _FORMS, "anyOf": [_SCALAR, *worded]}


COMPARISON_SCHEMA: Final = _schema({})
CONFIDENT_SCHEMA: Final = _schema({"confidence": {"type": ["number", "string"]}})
Compared = Annotated[Comparison, BeforeValidator(compared), WithJsonSchema(COMPARISON_SCHEMA)]
