"""Payment card numbers (ISO/IEC 7812), 12 to 19 digits with a Luhn check digit."""

from guardrails.recognizers.base import Candidate, Recognizer, Shape, digits_of, luhn

_CONTEXT = ("card", "credit", "debit", "visa", "master", "amex", "maestro", "diners", "jcb", "pan")


def _valid(candidate: Candidate) -> bool:
    digits = digits_of(candidate.value)
    return len(set(digits)) > 1 and luhn(digits)


def _valid_near_context(candidate: Candidate) -> bool:
    return _valid(candidate) and candidate.near(_CONTEXT)


CREDIT_CARD = Recognizer(
    "CREDIT_CARD",
    (
        Shape(
            r"\b((?:4\d{3}|5[0-8]\d{2}|2[2-7]\d{2}|6\d{3}|35\d{2}|1800|2131)"
            r"[ -]?\d{4}[ -]?\d{4}[ -]?\d{1,4}(?:[ -]?\d{1,3})?)\b",
            1.0,
            check=_valid,
        ),
        Shape(r"\b(3[0-9]\d{2}[ -]?\d{6}[ -]?\d{4,5})\b", 1.0, check=_valid),
        Shape(r"\b(\d(?:[ -]?\d){11,18})\b", 0.7, check=_valid_near_context),
    ),
)
