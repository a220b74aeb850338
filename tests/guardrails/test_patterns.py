"""The pattern redactor: the contract, failing closed, and what its data promises."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typing_extensions import override

from guardrails.patterns import PatternRedactor
from guardrails.recognizers import RECOGNIZERS, Recognizer
from guardrails.recognizers.base import Candidate, Shape
from tests.contracts.redactor import RedactorContract


class TestPatternRedactor(RedactorContract):
    @override
    @pytest.fixture
    def redactor(self) -> PatternRedactor:
        return PatternRedactor()


def _divides(candidate: Candidate) -> bool:
    return 1 // len(candidate.before) > 0


def test_a_failing_check_masks_the_text_whole() -> None:
    redactor = PatternRedactor([*RECOGNIZERS, Recognizer("X", (Shape("fail", 1.0, (), _divides),))])
    assert redactor.redact("fail here, jana@firma.de").text == "<REDACTED>"
    assert redactor.redact_document("fail here").text == "<REDACTED>"


def test_a_broken_pattern_masks_the_text_whole() -> None:
    redactor = PatternRedactor([Recognizer("X", (Shape("(", 1.0),))])
    assert redactor.redact("anything").text == "<REDACTED>"


def test_every_pattern_compiles_with_at_most_one_group() -> None:
    shapes = [shape for recognizer in RECOGNIZERS for shape in recognizer.shapes]
    assert all(shape.compiled.groups <= 1 for shape in shapes)


def test_a_hint_never_hides_a_match() -> None:
    """Each hint must be a part of what its pattern can match, in lower case."""
    shapes = [shape for recognizer in RECOGNIZERS for shape in recognizer.shapes]
    assert all(hint == hint.lower() for shape in shapes for hint in shape.hints)


def test_starts_without_the_framework() -> None:
    code = (
        "import sys; from guardrails.patterns import PatternRedactor as P;"
        "P().redact('jana@firma.de'); print(sorted(m for m in sys.modules if 'presidio' in m"
        " or m in ('torch', 'spacy', 'numpy')))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
