"""The quick way to the canonical form gives the bytes of the slow one."""

from __future__ import annotations

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from tools.canonical import LARGEST, NotCanonicalError, canonical
from tools.types import Tier

_LEAVES = st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | st.text(max_size=8)
_ASCII = st.text(st.characters(max_codepoint=127), max_size=8)
_NAMES = _ASCII | st.text(max_size=4)
_VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    _LEAVES | _ASCII, lambda inner: st.lists(inner) | st.dictionaries(_NAMES, inner), max_leaves=12
)


@given(_VALUES)
def test_every_value_has_the_bytes_of_the_reference(value: JsonValue) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(st.dictionaries(_ASCII, st.integers(-LARGEST, LARGEST) | _ASCII | st.booleans()))
def test_ascii_too(value: dict[str, JsonValue]) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "value", [1.5, [1.0], {"a": float("nan")}, 2**53, {"a": [-(2**53)]}, "\ud800", {"\ud800": 1}]
)
def test_what_has_no_canonical_form_is_refused(value: JsonValue) -> None:
    with pytest.raises(NotCanonicalError):
        canonical(value)


def test_subclasses_take_the_long_way() -> None:
    value: Any = {"tier": Tier.R2, "list": (1, 2)}
    assert canonical(value) == rfc8785.dumps({"tier": 2, "list": [1, 2]})
