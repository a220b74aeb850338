"""Schemas of requests as schemas of arguments, and values on their way back.

allOf is merged; of oneOf and anyOf the branches that the fixed values rule out are dropped, as is
null. What then remains undecided is refused where a field below it is asked for. Arguments hold no
floats, which have no canonical form: a decimal number travels as text and is sent as a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jsonpointer import JsonPointerException, resolve_pointer
from pydantic import JsonValue

from tools.configured.backend import OperationError
from tools.policy.mapping import Missing, at

Schema = dict[str, Any]
DECIMAL = r"^-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?$"
_DOCUMENTATION = {
    "description", "summary", "example", "examples", "title", "tags", "deprecated", "externalDocs",
    "xml", "discriminator",
}  # fmt: skip
_MAPS_OF_SCHEMAS = {"properties", "patternProperties", "$defs", "dependentSchemas"}
_UNIONS = ("oneOf", "anyOf")
DEEPEST = 40
"""Nested references beyond which a schema is taken to contain itself."""


def dereferenced(root: Any, node: Any, depth: int = 0) -> Any:
    """The node without references. Raises OperationError on foreign and endless ones."""
    if depth > DEEPEST:
        raise OperationError("a schema contains itself; name the fields that are needed apart")
    if isinstance(node, list):
        return [dereferenced(root, each, depth) for each in node]
    if not isinstance(node, Mapping):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str):
        beside = {k: v for k, v in node.items() if k != "$ref"}
        return dereferenced(root, {**_referenced(root, reference), **beside}, depth + 1)
    return {key: dereferenced(root, value, depth) for key, value in node.items()}


def _referenced(root: Any, reference: str) -> Mapping[str, Any]:
    if not reference.startswith("#"):
        raise OperationError(f"{reference}: only references within the document are followed")
    try:
        found = resolve_pointer(root, reference[1:])
    except JsonPointerException as missing:
        raise OperationError(f"{reference} points nowhere") from missing
    if not isinstance(found, Mapping):
        raise OperationError(f"{reference} is no schema")
    return found


def simplified(schema: Schema, fixed: Mapping[str, JsonValue] | None = None) -> Schema:
    """One plain schema. `fixed` maps pointers below it to values that are already decided."""
    fixed = fixed or {}
    plain = {k: v for k, v in schema.items() if k not in ("allOf", *_UNIONS)}
    for part in schema.get("allOf", []):
        plain = _merged(plain, simplified(part, fixed))
    for union in _UNIONS:
        if union in schema:
            plain = _merged(plain, _chosen(union, schema[union], fixed))
    return _without_null(plain)


def _chosen(union: str, branches: Sequence[Schema], fixed: Mapping[str, JsonValue]) -> Schema:
    left = [b for b in branches if b.get("type") != "null" and _allows(b, fixed)]
    if not left:
        raise OperationError("no form of the request has the fixed values")
    if len(left) == 1:
        return simplified(left[0], fixed)
    return {union: left}


def _allows(branch: Schema, fixed: Mapping[str, JsonValue]) -> bool:
    for pointer, value in fixed.items():
        found = at(branch, pointer.replace("/", "/properties/"))
        if isinstance(found, Missing) or not isinstance(found, dict):
            continue
        allowed = [found["const"]] if "const" in found else found.get("enum")
        if isinstance(allowed, list) and value not in allowed:
            return False
    return True


def _merged(one: Schema, other: Schema) -> Schema:
    merged = {**one, **other}
    if "properties" in one and "properties" in other:
        merged["properties"] = {**one["properties"], **other["properties"]}
    if "required" in one or "required" in other:
        both = [*one.get("required", []), *other.get("required", [])]
        merged["required"] = list(dict.fromkeys(both))
    if "type" in one and "type" in other and one["type"] != other["type"]:
        raise OperationError(f"allOf joins {one['type']} and {other['type']}: nothing is both")
    return merged


def _without_null(schema: Schema) -> Schema:
    kinds = schema.get("type")
    if not isinstance(kinds, list):
        return schema
    left = [kind for kind in kinds if kind != "null"]
    new = {**schema, "type": left[0] if len(left) == 1 else left}
    if isinstance(new.get("enum"), list):
        new["enum"] = [value for value in new["enum"] if value is not None]
    return new


def below(schema: Schema, pointer: str, fixed: Mapping[str, JsonValue]) -> tuple[Schema, bool]:
    """The schema that the pointer names, and whether everything on the way is required.

    Raises OperationError.
    """
    here, required = simplified(schema, fixed), True
    way = ""
    for step in pointer.split("/")[1:]:
        undecided = [union for union in _UNIONS if union in here]
        properties = here.get("properties", {})
        if step not in properties:
            if undecided:
                raise OperationError(
                    f"{way or 'the body'} has several forms ({undecided[0]}); fix the value that"
                    " tells them apart under `fixed`"
                )
            known = ", ".join(properties) or "none"
            raise OperationError(f"{way or 'the body'} has no field {step}; known: {known}")
        required = required and step in here.get("required", [])
        way += f"/{step}"
        here = simplified(properties[step], _under(fixed, way))
    return here, required


def _under(fixed: Mapping[str, JsonValue], way: str) -> dict[str, JsonValue]:
    return {p.removeprefix(way): v for p, v in fixed.items() if p.startswith(f"{way}/")}


def missing_fields(
    schema: Schema, given: Sequence[str], fixed: Mapping[str, JsonValue], way: str = ""
) -> list[str]:
    """Pointers of required fields that neither `given` nor `fixed` cover."""
    here = simplified(schema, _under(fixed, way) if way else fixed)
    pointers = [*given, *fixed]
    if way in pointers:
        return []
    if way and not any(p.startswith(f"{way}/") for p in pointers):
        return [way]
    lacking: list[str] = []
    for name, inner in here.get("properties", {}).items():
        place = f"{way}/{name}"
        touched = any(p == place or p.startswith(f"{place}/") for p in pointers)
        if name in here.get("required", []) or touched:
            lacking += missing_fields(inner, given, fixed, place)
    return lacking


def argument_schema(schema: Schema) -> Schema:
    """As an argument has it: without documentation beyond a description, decimals as text."""
    return _argument(simplified(schema))


def _argument(schema: Schema) -> Schema:
    new: Schema = {}
    for key, value in schema.items():
        match key, value:
            case "properties", dict():
                new[key] = {name: argument_schema(each) for name, each in value.items()}
            case (("items" | "additionalProperties"), dict()):
                new[key] = argument_schema(value)
            case (("oneOf" | "anyOf"), list()):
                new[key] = [argument_schema(each) for each in value]
            case (("example" | "examples" | "xml" | "discriminator" | "deprecated" | "title"), _):
                continue
            case _:
                new[key] = value
    return _decimal(new) if new.get("type") == "number" else new


def _decimal(schema: Schema) -> Schema:
    """A whole number, or decimal text; limits hold for the whole number and at the target."""
    limits = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
    whole = {"type": "integer"} | {k: schema[k] for k in limits if isinstance(schema.get(k), int)}
    text = {"type": "string", "pattern": DECIMAL, "maxLength": 40}
    told = {"description": schema["description"]} if "description" in schema else {}
    return told | {"anyOf": [whole, text]}


def to_wire(value: JsonValue, schema: Schema) -> Any:
    """The value as the target expects it: decimals as numbers again."""
    schema = simplified(schema)
    if isinstance(value, str) and schema.get("type") == "number":
        return float(value)
    if isinstance(value, list):
        items = schema.get("items")
        return [to_wire(each, items) if isinstance(items, dict) else each for each in value]
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        return {k: to_wire(v, properties[k]) if k in properties else v for k, v in value.items()}
    return value


def meaning(node: Any, *, names: bool = False) -> Any:
    """The node without what is only documentation. `names`: its keys are names, not keywords."""
    if isinstance(node, list):
        return [meaning(each) for each in node]
    if not isinstance(node, Mapping):
        return node
    return {
        key: meaning(value, names=not names and key in _MAPS_OF_SCHEMAS)
        for key, value in node.items()
        if names or (key not in _DOCUMENTATION and not str(key).startswith("x-"))
    }
