from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from agent.answerers.objects import LONGEST_OBJECT, ObjectReader

UNITS = st.lists(
    st.fixed_dictionaries({"kind": st.just("sentence"), "text": st.text(max_size=40)}), max_size=5
)


def read(text: str, piece: int = 10_000) -> tuple[list[dict[str, object]], int]:
    reader = ObjectReader()
    pieces = [text[at : at + piece] for at in range(0, len(text), piece)]
    found = [unit for part in pieces for unit in reader.feed(part)]
    reader.end()
    return found, reader.malformed


@given(UNITS, st.integers(1, 30), st.sampled_from(["\n", "", ",\n", " \n\n"]))
def test_any_chunking_and_separator_gives_the_same_objects(
    units: list[dict[str, str]], piece: int, between: str
) -> None:
    text = between.join(json.dumps(unit) for unit in units)
    assert read(text, piece) == (units, 0)


@given(st.text(alphabet='{}"\\\n,:[]a1 ', max_size=200))
def test_no_text_raises(text: str) -> None:
    found, malformed = read(text, 3)
    assert malformed >= 0
    assert all(isinstance(unit, dict) for unit in found)


def test_reading_goes_on_behind_an_object_that_broke_off() -> None:
    text = '{"a": "open\n{"b": 1}\n{"c": {"d": 2}}\n{"e": 3'
    found, malformed = read(text)
    assert found == [{"b": 1}, {"d": 2}]
    assert malformed == 4  # the broken line, the nesting, its stray brace, the open end


def test_fences_and_lists_are_harmless_and_prose_is_counted() -> None:
    assert read('```json\n[\n{"a": 1},\n{"b": 2}\n]\n```\n') == ([{"a": 1}, {"b": 2}], 0)
    assert read('Here you are:\n{"a": 1}\n') == ([{"a": 1}], 1)


def test_an_object_without_end_is_given_up() -> None:
    found, malformed = read('{"a": "' + "x" * (LONGEST_OBJECT + 5) + '\n{"b": 1}')
    assert found == [{"b": 1}]
    assert malformed >= 1
