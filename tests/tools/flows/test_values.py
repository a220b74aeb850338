"""The look-ups of a flow file: what they find, and what absence does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from tools.flows.values import ABSENT, BadValueError, Known, at, fill, holds, named

KNOWN = Known(
    {"source": "stripe", "name": "Sales", "empty": None},
    {"made": {"id": "con_1", "tags": ["a", {"b/c": 7}], "state": "active"}},
)


def test_arguments_and_parts_of_results_are_put_in() -> None:
    template: JsonValue = {
        "kind": {"$arg": "source"},
        "id": {"$result": "made", "at": "/id"},
        "tag": {"$result": "made", "at": "/tags/1/b~1c"},
        "title": {"$text": "{name} from {source}"},
        "list": [{"$arg": "source"}, 3],
    }

    assert fill(template, KNOWN) == {
        "kind": "stripe",
        "id": "con_1",
        "tag": 7,
        "title": "Sales from stripe",
        "list": ["stripe", 3],
    }


def test_what_is_absent_leaves_its_member_out_and_null_does_not() -> None:
    template: JsonValue = {"a": {"$arg": "nobody"}, "b": {"$arg": "empty"}, "c": [{"$arg": "no"}]}

    assert fill(template, KNOWN) == {"b": None, "c": []}


def test_first_takes_the_first_that_is_there() -> None:
    options: JsonValue = {"$first": [{"$result": "other", "at": "/id"}, {"$result": "made"}]}

    assert fill(options, KNOWN) == KNOWN.results["made"]
    assert fill({"$first": [{"$arg": "no"}]}, KNOWN) is ABSENT


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (None, True),
        ({}, True),
        ({"$arg": "source", "in": ["stripe", "csv"]}, True),
        ({"$arg": "source", "in": ["csv"]}, False),
        ({"$arg": "nobody", "in": [None]}, False),
        ({"$result": "made", "at": "/state", "in": ["active"]}, True),
        ({"$arg": "empty", "present": False}, True),
        ({"$arg": "nobody", "present": True}, False),
        ({"$arg": "name", "present": True}, True),
        ({"not": {"$arg": "source", "in": ["stripe"]}}, False),
        ({"all": [{"$arg": "name", "present": True}, {"not": {"$arg": "source", "in": []}}]}, True),
        ({"any": [{"$arg": "source", "in": ["csv"]}, {"$arg": "name", "present": False}]}, False),
    ],
)
def test_conditions(condition: JsonValue, expected: bool) -> None:
    assert holds(condition, KNOWN) is expected


@pytest.mark.parametrize(
    "condition", [{"$arg": "source"}, "yes", 3, {"in": ["x"]}, {"$arg": "a", "in": "x"}, []]
)
def test_a_condition_outside_the_language_is_an_error(condition: JsonValue) -> None:
    with pytest.raises(BadValueError):
        holds(condition, KNOWN)


def test_every_name_that_is_looked_up_is_found() -> None:
    template: JsonValue = [
        {"$first": [{"$arg": "a"}, {"$result": "b", "at": "/x"}]},
        {"$text": "{c} and {d}"},
        {"all": [{"not": {"$arg": "e", "in": [1]}}]},
    ]

    assert sorted(named(template)) == [
        ("arg", "a"),
        ("arg", "c"),
        ("arg", "d"),
        ("arg", "e"),
        ("result", "b"),
    ]


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(_json)
def test_a_template_without_look_ups_is_its_own_value(value: JsonValue) -> None:
    if any(word in repr(value) for word in ("$arg", "$result", "$text", "$first")):
        return
    assert fill(value, KNOWN) == value


@given(st.dictionaries(st.text(max_size=4), _json, min_size=1, max_size=3))
def test_a_pointer_finds_every_member(value: dict[str, JsonValue]) -> None:
    for name, inner in value.items():
        assert at(value, "/" + name.replace("~", "~0").replace("/", "~1")) == inner
    assert at(value, "/nobody-has-this-name") is ABSENT


TABLES: JsonValue = [
    {"name": "people", "columns": {"name": "text"}},
    {"name": "clicks", "columns": {"event": "text", "user_id": "text"}},
]


@pytest.mark.parametrize(
    ("tables", "needed", "found"),
    [
        (TABLES, ["/columns/event"], "clicks"),
        (TABLES, ["/columns/price"], ABSENT),
        (TABLES, [], ABSENT),
        ([], ["/columns/event"], ABSENT),
        ("none", ["/columns/event"], ABSENT),
    ],
)
def test_only_picks_what_is_unambiguous(
    tables: JsonValue, needed: list[JsonValue], found: object
) -> None:
    known = Known({}, {"tables": tables})
    picking: JsonValue = {"$only": {"$result": "tables"}, "with": needed, "at": "/name"}

    assert fill(picking, known) == found
