"""The Presidio redactor passes the contract and agrees with its twin."""

from __future__ import annotations

import pytest
from typing_extensions import override

from guardrails.patterns import PatternRedactor
from guardrails.recognizers import RECOGNIZERS, Recognizer
from guardrails.recognizers.base import Shape
from guardrails.redaction import PresidioRedactor
from tests.contracts.redactor import PERSONAL, SECRETS, RedactorContract


@pytest.fixture(scope="module")
def presidio() -> PresidioRedactor:
    return PresidioRedactor()


class TestPresidioRedactor(RedactorContract):
    @override
    @pytest.fixture
    def redactor(self, presidio: PresidioRedactor) -> PresidioRedactor:
        return presidio


def test_agrees_with_its_twin(presidio: PresidioRedactor) -> None:
    for _, value in PERSONAL + SECRETS:
        text = f"a {value} b, {value}, mail jana@firma.de jan@firma.de"
        assert presidio.redact(text) == PatternRedactor().redact(text)
        assert presidio.redact_document(text) == PatternRedactor().redact_document(text)


def test_a_broken_pattern_masks_the_text_whole() -> None:
    broken = PresidioRedactor([*RECOGNIZERS, Recognizer("X", (Shape("(", 1.0),))])
    assert broken.redact("jana@firma.de").text == "<REDACTED>"
