"""Product terms are left alone; a name that only holds one is not a product term."""

from __future__ import annotations

import pytest

from guardrails.names.allowed import AllowList, common_terms
from guardrails.types import Span

LIST = AllowList(["Slack", "Kong Gateway", "Harbor", "API key", "C++"])


@pytest.mark.parametrize(
    "value",
    ["Slack", "slack", "SLACK", "Slack's", "Slack\u2019s", "Kong Gateway", "kong-gateway",
     "Harbor Slack", "(Harbor)", "API  key", "Sl\u200back"],
)  # fmt: skip
def test_a_term_is_covered_in_any_case_and_dress(value: str) -> None:
    assert LIST.covers(value)


@pytest.mark.parametrize(
    "value", ["Slack Joe", "Peter Harbor", "Kong", "Gateway", "Slacker", "", "...", "Harbors"]
)
def test_what_is_more_or_less_than_terms_is_not_covered(value: str) -> None:
    assert not LIST.covers(value)


def test_only_names_are_let_through() -> None:
    text = "Slack Slack"
    whole, name = Span(0, 5, "REDACTED", 1.0), Span(6, 11, "ORGANIZATION", 0.5)
    assert LIST.without(text, [whole, name]) == [whole]


def test_an_empty_list_covers_nothing() -> None:
    assert not AllowList([]).covers("Slack")


def test_the_common_terms_are_each_listed_once_and_none_is_a_first_name() -> None:
    terms = [term.casefold() for term in common_terms()]
    assert len(terms) == len(set(terms))
    assert not {"maria", "peter", "anna", "john", "jordan", "alexa"} & set(terms)
