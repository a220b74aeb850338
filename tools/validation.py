"""Arguments against the tool's JSON Schema (2020-12); every mistake says how to mend it.

Messages never repeat a value: it may be a secret.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from tools.acting import BadCallError
from tools.canonical import NotCanonicalError, canonical
from tools.types import Arguments, Manifest

_EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_]{2,63}")
LONGEST_HOST = 253
"""RFC 1035 in its written form."""
_HOST_LABEL = re.compile(r"[^\W_](?:[\w-]{0,61}[^\W_])?")


def _is_date_time(text: str) -> bool:
    return "T" in text.upper() and datetime.fromisoformat(text).tzinfo is not None


def _is_uri(text: str) -> bool:
    parts = urlsplit(text)
    return bool(parts.scheme and (parts.netloc or parts.path)) and not re.search(r"\s", text)


def _is_hostname(text: str) -> bool:
    return len(text) <= LONGEST_HOST and all(
        _HOST_LABEL.fullmatch(label) for label in text.split(".")
    )


def _is_address(text: str) -> bool:
    return bool(ipaddress.ip_address(text))


def _is_pattern(text: str) -> bool:
    return bool(re.compile(text))


def _is_date(text: str) -> bool:
    return len(text) == len("2026-01-31") and bool(datetime.fromisoformat(text))


FORMATS: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "email": (lambda text: bool(_EMAIL.fullmatch(text)), "an e-mail address, such as ana@acme.io"),
    "date": (_is_date, "a date, such as 2026-01-31"),
    "date-time": (_is_date_time, "a time with its zone, such as 2026-01-31T09:30:00Z"),
    "uri": (_is_uri, "an address with its scheme, such as https://acme.io/path"),
    "hostname": (_is_hostname, "a host name, such as api.acme.io"),
    "ipv4": (_is_address, "an IP address"),
    "ipv6": (_is_address, "an IP address"),
    "regex": (_is_pattern, "a regular expression"),
}
"""Format -> test and what a value looks like. Other formats are notes, not rules."""


def _checker() -> FormatChecker:
    checker = FormatChecker(formats=())
    for name, (fits, _) in FORMATS.items():
        checker.checks(name, raises=(ValueError, re.error))(_text_only(fits))
    return checker


def _text_only(fits: Callable[[str], bool]) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or fits(value)


_CHECKER = _checker()


def validate(manifest: Manifest, arguments: Arguments) -> None:
    """Raises BadCallError, naming every argument that does not fit."""
    errors = _uncanonical(arguments)
    if not errors:
        validator = Draft202012Validator(manifest.schema, format_checker=_CHECKER)
        for error in validator.iter_errors(dict(arguments)):
            for name, message in _told(error, manifest).items():
                errors.setdefault(name, message)
    if errors:
        raise BadCallError(manifest.name, errors)


def _uncanonical(arguments: Arguments) -> dict[str, str]:
    errors: dict[str, str] = {}
    for name, value in arguments.items():
        try:
            canonical(value)
        except NotCanonicalError as problem:
            errors[name] = str(problem).removeprefix("$").lstrip(":. ")
    return errors


def _told(error: ValidationError, manifest: Manifest) -> dict[str, str]:
    place = [str(part) for part in error.absolute_path]
    rule = str(error.validator)
    if rule == "required":
        return {".".join([*place, name]): "is missing" for name in _missing(error)}
    if rule in {"additionalProperties", "unevaluatedProperties"}:
        known = ", ".join(_known(error, manifest, at_top=not place)) or "none"
        return {
            ".".join([*place, name]): f"is not known here; known: {known}" for name in _extra(error)
        }
    top = place[0] if place else ""
    inner = f"{'.'.join(place[1:])}: " if len(place) > 1 else ""
    return {top: inner + _wanted(rule, error.validator_value)}


def _missing(error: ValidationError) -> list[str]:
    instance = error.instance if isinstance(error.instance, dict) else {}
    wanted = error.validator_value if isinstance(error.validator_value, list) else []
    return [str(name) for name in wanted if name not in instance]


def _extra(error: ValidationError) -> list[str]:
    instance = error.instance if isinstance(error.instance, dict) else {}
    properties = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
    return [str(name) for name in instance if name not in properties]


def _known(error: ValidationError, manifest: Manifest, *, at_top: bool) -> list[str]:
    schema = manifest.schema if at_top else error.schema
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    return sorted(properties) if isinstance(properties, Mapping) else []


_WANTED: Mapping[str, str] = {
    "type": "must be of type {}",
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "minItems": "must name at least {}",
    "maxItems": "must name at most {}",
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "multipleOf": "must be a multiple of {}",
    "pattern": "must match the pattern {}",
    "const": "must be {}",
}
"""JSON Schema keyword -> what it asks for."""


def _wanted(rule: str, value: object) -> str:
    match rule, value:
        case "enum", list():
            wanted = "must be one of " + ", ".join(str(each) for each in value)
        case "format", str() if value in FORMATS:
            wanted = f"must be {FORMATS[value][1]}"
        case "uniqueItems", _:
            wanted = "must not name anything twice"
        case "type", list():
            wanted = "must be of type " + " or ".join(str(each) for each in value)
        case (("anyOf" | "oneOf"), list()):
            wanted = "fits none, or more than one, of the allowed forms"
        case _ if rule in _WANTED:
            wanted = _WANTED[rule].format(value)
        case _:
            wanted = f"does not fit the rule `{rule}`"
    return wanted
