"""The scan of raw bytes: what it finds is what looking for each string alone finds."""

from __future__ import annotations

from random import Random

import pytest

from tests.e2e.rights.canaries import WINDOW, Needles, forms, hits

ALPHABET = b"ab"


def some(rng: Random, length: int) -> bytes:
    return bytes(rng.choice(ALPHABET) for _ in range(length))


def test_one_pass_finds_what_many_find() -> None:
    """Two letters, so that starts are shared, needles overlap and ends are reached."""
    rng, found = Random(3), 0
    for _ in range(300):
        needles = {some(rng, rng.randint(WINDOW, WINDOW + 6)) for _ in range(rng.randint(0, 40))}
        content = some(rng, rng.randint(0, 400))
        if needles and rng.random() < 0.5:
            content += rng.choice(sorted(needles))
        expected = {needle for needle in needles if needle in content}
        assert Needles(needles).within(content) == expected
        found += len(expected)
    assert found > 300


def test_every_form_is_found_at_every_place() -> None:
    word = "Grün-4711-kaputt"
    for form, data in forms(word).items():
        for before in range(WINDOW + 1):
            content = b"\0" * before + data
            assert ("ana", word, form, "file") in hits({"ana": (word,)}, [("file", content)])
            cut = content[:-1]
            assert ("ana", word, form, "file") not in hits({"ana": (word,)}, [("file", cut)])


def test_a_needle_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Needles([b"1234567"])
