"""Words stand where they say, whatever the script; no text takes more than linear time."""

from __future__ import annotations

import time

import pytest

from guardrails.names.tokens import NEWLINE, words_of


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("hi, im Maria", ["hi", ",", "im", "Maria"]),
        ("Mari\u200ba S\u00adilva", ["Maria", "Silva"]),
        ("\u202eJose\u0301\u202c", ["José"]),
        ("\uff2d\uff41\uff52\uff49\uff41", ["Maria"]),
        ("👩‍💻 Zoë👋", ["👩", "💻", "Zoë", "👋"]),
        ("a_b\n\n  c", ["a", "_", "b", NEWLINE, "c"]),
        ("O'Brien", ["O", "'", "Brien"]),
        ("क्षितिज", ["क्षितिज"]),
        ("", []),
    ],
)
def test_words_are_composed_and_without_invisible_characters(text: str, seen: list[str]) -> None:
    assert [word.text for word in words_of(text)] == seen


def test_offsets_point_into_the_text_as_it_was_typed() -> None:
    text = "🎉 im Jose\u0301 aus Mu\u0308n\u200bchen 🎉"
    words = words_of(text)
    assert [text[w.start : w.end] for w in words] == [
        "🎉", "im", "Jose\u0301", "aus", "Mu\u0308n\u200bchen", "🎉",
    ]  # fmt: skip


def test_half_a_surrogate_pair_is_a_word_that_can_be_encoded() -> None:
    assert all(word.text.encode() for word in words_of("a \ud800 b x\udfffy"))


@pytest.mark.parametrize("unit", [" ", "\n", "\t ", ".", "a.", "\u200b", "\u0301", "e\u0301", "🎉"])
def test_time_is_linear_in_the_length(unit: str) -> None:
    started = time.process_time()
    words_of(unit * (100_000 // len(unit)))
    assert time.process_time() - started < 5  # quadratic: minutes
