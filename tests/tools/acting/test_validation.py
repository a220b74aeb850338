"""Arguments that do not fit: every mistake is named, and no value is repeated."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import JsonValue

from tests.tools.twins import manifest
from tools.acting import BadCallError
from tools.types import Arguments
from tools.validation import FORMATS, validate


def problems(arguments: Arguments, **properties: JsonValue) -> dict[str, str]:
    told = manifest()
    if properties:
        told = replace(
            told,
            schema={"type": "object", "properties": properties, "additionalProperties": False},
        )
    try:
        validate(told, arguments)
    except BadCallError as bad:
        return dict(bad.errors)
    return {}


def test_what_fits_passes() -> None:
    assert problems({"name": "n", "value": None, "members": ["a"], "count": 3}) == {}


@pytest.mark.parametrize(
    ("arguments", "errors"),
    [
        ({}, {"name": "is missing"}),
        ({"name": ""}, {"name": "must have at least 1 characters"}),
        ({"name": 5}, {"name": "must be of type string"}),
        ({"name": "n", "role": "owner"}, {"role": "must be one of member, viewer, admin"}),
        ({"name": "n", "members": ["a", 5]}, {"members": "1: must be of type string"}),
        ({"name": "n", "count": 1.0}, {"count": "floats have no canonical form; send it as text"}),
        ({"name": "n", "count": 2**53}, {"count": "beyond 2^53; send it as text"}),
        (
            {"name": "n", "options": {"a": [0.5]}},
            {"options": "a[0]: floats have no canonical form; send it as text"},
        ),
        (
            {"name": "n", "nmae": "x"},
            {"nmae": "is not known here; known: count, key, members, name, options, role, value"},
        ),
        ({"name": "n", "value": 5}, {"value": "must be of type string or null"}),
    ],
)
def test_each_mistake_is_told(arguments: Arguments, errors: dict[str, str]) -> None:
    assert problems(arguments) == errors


def test_all_mistakes_are_told_at_once() -> None:
    assert problems({"role": "owner", "x": 1}).keys() == {"name", "role", "x"}


def test_a_wrong_secret_is_not_repeated() -> None:
    secret = "sk_live_4242"
    told = problems({"name": "n", "key": [secret], "members": secret, "role": secret})
    assert secret not in str(told)
    assert told.keys() == {"key", "members", "role"}


FITS = {
    "email": (["ana@acme.io", "a.b+c@sub.acme.co.uk", "ü@müller.de"], ["a@b", "a b@c.io", "@x.io"]),
    "date": (["2026-01-31"], ["2026-02-30", "31.1.2026", "2026-01-31T00:00:00Z"]),
    "date-time": (["2026-01-31T09:30:00Z", "2026-01-31T09:30:00+02:00"], ["2026-01-31T09:30:00"]),
    "uri": (["https://acme.io/x", "postgresql://h/db"], ["acme.io", "https://a b"]),
    "hostname": (["api.acme.io", "localhost"], ["-a.io", "a..b", "x" * 254]),
    "ipv4": (["10.0.0.1"], ["10.0.0.256"]),
    "ipv6": (["::1"], ["::g"]),
    "regex": (["a+"], ["("]),
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats(name: str) -> None:
    good, bad = FITS[name]
    for text in good:
        assert problems({"x": text}, x={"type": "string", "format": name}) == {}, text
    for text in bad:
        told = problems({"x": text}, x={"type": "string", "format": name})
        assert told == {"x": f"must be {FORMATS[name][1]}"}, text


def test_what_is_needed_once_another_is_known() -> None:
    told = replace(
        manifest(),
        schema={
            "type": "object",
            "properties": {"kind": {"enum": ["csv", "sql"]}, "url": {"type": "string"}},
            "allOf": [
                {"if": {"properties": {"kind": {"const": "sql"}}}, "then": {"required": ["url"]}}
            ],
        },
    )
    with pytest.raises(BadCallError) as bad:
        validate(told, {"kind": "sql"})
    assert bad.value.errors == {"url": "is missing"}
    validate(told, {"kind": "csv"})
