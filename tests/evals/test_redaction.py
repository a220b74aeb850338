"""What is counted as right, masked, leaked and quiet; the attacks are what they say."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from embark.cli import app
from evals.intervals import Figure
from evals.redaction import Contender, accuracy, latency, quiet, text_of
from evals.redaction_attacks import BOMBS, VALUES, Attack, attacks, struck
from evals.redaction_run import Options, measured
from guardrails.names.corpus import Labelled, Part
from guardrails.names.tokens import words_of
from guardrails.patterns import PatternRedactor
from guardrails.types import Span
from tests.guardrails.names.data import write_data


def contender(find: Callable[[str], list[Span]]) -> Contender:
    return Contender("x", find, lambda text: text)


PATTERNS = Contender(
    "patterns",
    lambda text: PatternRedactor().redact(text).spans,
    lambda text: PatternRedactor().redact(text).text,
)


def sentence(text: str, *names: tuple[int, int, str]) -> Labelled:
    return Labelled(text, tuple(Span(*name, 1.0) for name in names), "x", Part.TEST)


TWO = sentence("Ana met Bo", (0, 3, "PERSON"), (8, 10, "PERSON"))


def test_overlap_forgives_bounds_and_strict_does_not() -> None:
    found = contender(lambda _: [Span(0, 4, "PERSON", 0.5), Span(4, 7, "PERSON", 0.5)])
    person = accuracy(found, [TWO], ("PERSON",), 1)["PERSON"]
    assert person.n == 2
    assert [_value(person.overlap[x]) for x in ("precision", "recall")] == [0.5, 0.5]
    assert person.overlap["f1"] == 0.5
    assert person.strict["f1"] == 0.0


def test_a_value_under_another_type_is_masked_but_not_recalled() -> None:
    found = contender(lambda _: [Span(0, 3, "REDACTED", 1.0), Span(8, 9, "PERSON", 0.5)])
    person = accuracy(found, [TWO], ("PERSON",), 1)["PERSON"]
    assert _value(person.overlap["recall"]) == 0.5
    assert person.masked.value == 0.5  # of `Bo` a letter can be read


def test_finding_nothing_scores_zero_and_types_that_do_not_occur_are_left_out() -> None:
    scores = accuracy(contender(lambda _: []), [TWO], ("PERSON", "LOCATION"), 1)
    assert scores.keys() == {"PERSON", "all"}
    assert scores["PERSON"].overlap["f1"] == 0.0
    assert math.isnan(_value(scores["PERSON"].overlap["precision"]))


def test_quiet_counts_sentences_without_found_names() -> None:
    found = contender(lambda text: [Span(0, 1, "PERSON", 1.0)] if "Kong" in text else [])
    assert (
        quiet(found, [sentence("Kong"), sentence("a"), sentence("b"), sentence("c")], 1).value
        == 0.75
    )


@pytest.mark.parametrize("tokens", [1, 50, 500])
def test_a_timed_text_has_the_tokens_that_were_asked_for(tokens: int) -> None:
    assert (
        len(words_of(text_of([TWO, sentence("one two three four")], tokens, Random(1)))) == tokens
    )


def test_latency_is_told_at_every_length() -> None:
    lengths = latency(PATTERNS, [TWO], Random(1))
    assert list(lengths) == ["50", "500", "5000"]
    assert all(0 < of["p50"] <= of["p99"] <= of["worst"] for of in lengths.values())


def test_attacks_are_drawn_by_the_seed_and_hold_their_value() -> None:
    made = attacks(Random(3), 200)
    assert made == attacks(Random(3), 200) != attacks(Random(4), 200)
    assert Counter(one.bomb for one in made).keys() == BOMBS.keys()
    assert Counter(one.kind for one in made).keys() == VALUES.keys()
    assert all(one.leaks(one.text) for one in made)


def test_a_leak_is_seen_through_invisible_characters() -> None:
    attack = Attack("", "dots", "names", "Ana Diaz")
    assert attack.leaks("x A\u200bna Di\u2060az")
    assert not attack.leaks("x <PERSON>")


def test_patterns_let_no_structured_value_through() -> None:
    figures = struck(PATTERNS, [one for one in attacks(Random(3), 96) if one.kind == "structured"])
    assert figures["leaks"]["structured"] == 0
    assert figures["worst"] < 2000


def test_names_leak_where_nobody_looks_for_them() -> None:
    """Else the count of leaks could not fail."""
    figures = struck(PATTERNS, [one for one in attacks(Random(3), 96) if one.kind == "names"])
    assert figures["leaks"]["names"] == figures["n"]


def test_one_run_measures_every_contender_on_the_same_sentences(tmp_path: Path) -> None:
    options = Options(attacks=16)
    now = datetime(2026, 1, 5, tzinfo=UTC)
    blind = Contender("blind", lambda _: [], lambda text: text)
    data = write_data(tmp_path, rows=4)
    document = measured([PATTERNS, blind], data, options, now, lambda _: None)
    assert document["accuracy"]["names"].keys() == {"patterns", "blind"}
    assert document["accuracy"]["names"]["blind"]["all"]["overlap"]["f1"] == 0
    assert document["attacks"]["blind"]["leaks"] == {"structured": 8, "names": 8}
    assert document["prose_left_whole"]["blind"]["value"] == 1.0
    assert json.dumps(document)


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["eval", "redaction", "--data", str(tmp_path)])
    assert ran.exit_code == 3
    assert "cannot be read" in ran.stderr


def _value(figure: Figure | float) -> float:
    return figure.value if isinstance(figure, Figure) else figure
