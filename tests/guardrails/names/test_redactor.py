"""Patterns and names together: contract, allow list, policy; a refusal is an error, not a leak."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from guardrails.names.allowed import AllowList
from guardrails.names.redactor import NameRedactor
from guardrails.policy import EntityPolicy, EntityRefusedError, NoWorkerError, Treatment
from guardrails.pseudonyms import pseudonymise
from guardrails.types import Span


class Known:
    """Finds the names that it was told, as the network would at its best."""

    def __init__(self, **names: str) -> None:
        self._names = names

    def find(self, text: str) -> Sequence[Span]:
        return [
            Span(text.index(value), text.index(value) + len(value), type, 0.55)
            for type, value in self._names.items()
            if value in text
        ]


class Absent:
    def find(self, text: str) -> Sequence[Span]:
        raise NoWorkerError(1.0)


class Broken:
    def find(self, text: str) -> Sequence[Span]:
        return [Span(1 // len(text[:0]), 1, "PERSON", 1.0)]


TEXT = "Ana Diaz of Acme in Lima, ana@acme.io"
FOUND = Known(PERSON="Ana Diaz", ORGANIZATION="Acme", LOCATION="Lima")


def test_names_and_values_are_masked_together() -> None:
    redaction = NameRedactor(FOUND).redact(TEXT)
    assert redaction.text == "<PERSON> of <ORGANIZATION> in <LOCATION>, <EMAIL_ADDRESS>"


def test_product_terms_stay_and_are_not_found_inside_names() -> None:
    redactor = NameRedactor(FOUND, allowed=AllowList(["Acme", "Diaz"]))
    assert redactor.redact(TEXT).text == "<PERSON> of Acme in <LOCATION>, <EMAIL_ADDRESS>"


def test_a_term_never_frees_a_value_with_a_shape() -> None:
    redactor = NameRedactor(Known(), allowed=AllowList(["ana acme io"]))
    assert redactor.redact(TEXT).text.endswith("<EMAIL_ADDRESS>")


def test_the_policy_decides_entity_by_entity() -> None:
    policy = EntityPolicy({"LOCATION": Treatment.PASS, "ORGANIZATION": Treatment.MASK})
    redaction = NameRedactor(FOUND, policy=policy).redact(TEXT)
    assert [span.type for span in redaction.spans] == ["PERSON", "ORGANIZATION", "EMAIL_ADDRESS"]
    held: dict[str, str] = {}

    def named(type: str, value: str) -> str:
        return held.setdefault(value, f"<{type}_{len(held) + 1}>")

    text = pseudonymise(TEXT, redaction, named)
    assert text == "<PERSON_1> of <ORGANIZATION> in Lima, <EMAIL_ADDRESS_2>"
    assert "Acme" not in held


def test_a_company_or_place_of_the_docs_stays_and_a_person_of_the_docs_does_not() -> None:
    redactor = NameRedactor(FOUND, published=lambda value: value in {"Acme", "Ana Diaz"})
    assert redactor.redact(TEXT).text == "<PERSON> of Acme in <LOCATION>, <EMAIL_ADDRESS>"


def test_what_passes_hides_nothing_that_does_not() -> None:
    """A stronger span that passes must not swallow a weaker one that is masked."""
    policy = EntityPolicy({"EMAIL_ADDRESS": Treatment.PASS})
    redactor = NameRedactor(Known(PERSON="ana"), policy=policy)
    assert redactor.redact("write ana@acme.io").text == "write <PERSON>@acme.io"


def test_a_refused_entity_refuses_the_turn_and_is_not_quoted() -> None:
    redactor = NameRedactor(FOUND, policy=EntityPolicy({"PERSON": Treatment.REFUSE}))
    with pytest.raises(EntityRefusedError, match="PERSON") as refused:
        redactor.redact(TEXT)
    assert "Ana" not in str(refused.value)
    assert redactor.redact("hello").text == "hello"


def test_no_worker_refuses_the_turn() -> None:
    with pytest.raises(NoWorkerError):
        NameRedactor(Absent()).redact("hello")


def test_a_finder_that_fails_masks_the_text_whole() -> None:
    assert NameRedactor(Broken()).redact(TEXT).text == "<REDACTED>"


def test_names_in_published_documents_stay() -> None:
    assert NameRedactor(FOUND).redact_document("Written by Ana Diaz of Acme").spans == ()
