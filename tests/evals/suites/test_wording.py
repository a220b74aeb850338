from __future__ import annotations

import pytest

from evals.suites.wording import leftovers, shared, unmarked


@pytest.mark.parametrize(
    ("markdown", "kinds"),
    [
        ("Plain words, a < b and c > d, and [docs](https://x.example).", {"dangling link"}),
        ("A <br/> break", {"raw HTML"}),
        ("See {{root_url}}/ui", {"Liquid or template"}),
        ("Press {% icon %}", {"Liquid or template"}),
        ("`{{ok}}` and `<b>`", set()),
        ("```html\n<b>{{shown}}</b>\n```", set()),
        ("```sh\nls", {"unbalanced fence"}),
        ("a < b and c > d [1]. Proven [1][2].", set()),
    ],
)
def test_leftovers_of_markup(markdown: str, kinds: set[str]) -> None:
    assert leftovers(markdown) == kinds


def test_shared_counts_distinct_content_words() -> None:
    assert shared("Press save, then wait", "save and wait for the owner") == pytest.approx(2 / 3)
    assert shared("anything", "") == 0.0


def test_markers_are_no_words() -> None:
    assert unmarked("Press it [1][2]. Wait [3].") == "Press it. Wait."
