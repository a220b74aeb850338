from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evals.suites.words import content, longest_common, rouge_l

WORDS = st.lists(st.sampled_from("abc"), max_size=12)


def by_table(first: list[str], second: list[str]) -> int:
    """The textbook dynamic programme."""
    rows = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, x in enumerate(first):
        for j, y in enumerate(second):
            rows[i + 1][j + 1] = rows[i][j] + 1 if x == y else max(rows[i][j + 1], rows[i + 1][j])
    return rows[-1][-1]


@given(WORDS, WORDS)
def test_longest_common_is_that_of_the_table(first: list[str], second: list[str]) -> None:
    assert longest_common(first, second) == by_table(first, second)


def test_rouge_l_by_hand() -> None:
    assert rouge_l("the cat sat", "the cat sat") == 1.0
    assert rouge_l("the cat sat", "the dog sat") == 2 / 3
    assert rouge_l("", "the cat") == 0.0


def test_content_is_stemmed_and_without_stop_words() -> None:
    assert content("How do I invite the teammates?") == content("Inviting a teammate")
    assert content("a &lt;tag&gt;") == {"tag"}
