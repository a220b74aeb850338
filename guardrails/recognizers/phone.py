"""Telephone numbers: valid by the numbering plans, or written as one beside a word that says so."""

import phonenumbers
import re2

from guardrails.recognizers.base import Candidate, Recognizer, Shape, digits_of

_CONTEXT = (
    "phone", "call ", "call me", "calls", "tel", "mobile", "cell", "fax", "office", "whatsapp",
    "sms", "dial", "contact", "reach", "ring", "text me", "hotline", "number is", "messages to",
    "registered", "messages", "handy", "rufnummer", "móvil", "movil", "numéro", "numero",
)  # fmt: skip
_MIN_DIGITS, _MAX_DIGITS = 6, 15  # ITU-T E.164 allows 15 at most
_NATIONAL_PLANS = ("US", "GB", "DE", "FR", "IN")
"""Numbering plans that a number without country code and without context is tried against."""


def _plausible(candidate: Candidate) -> bool:
    core = candidate.value.lower().split("x", 1)[0]
    digits = digits_of(core)
    return _MIN_DIGITS <= len(digits) <= _MAX_DIGITS and len(set(digits)) > 1


def _in_context(candidate: Candidate) -> bool:
    if not _plausible(candidate) or _is_date(candidate.value):
        return False
    return candidate.near(_CONTEXT)


_DATE = re2.compile(r"^(?:(?:19|20)\d\d[-./ ]\d\d[-./ ]\d\d|\d\d[-./ ]\d\d[-./ ](?:19|20)\d\d)\b")


def _is_date(value: str) -> bool:
    return bool(_DATE.search(value))


def _valid_international(candidate: Candidate) -> bool:
    digits = digits_of(candidate.value.lower().split("x", 1)[0])
    if candidate.near(_CONTEXT):
        return _plausible(candidate)
    number = "+" + digits.removeprefix("00")
    return _parses(number.replace("(0)", ""), None)


def _valid_national(candidate: Candidate) -> bool:
    if not _plausible(candidate) or _is_date(candidate.value):
        return False
    return any(_parses(candidate.value, region) for region in _NATIONAL_PLANS)


def _parses(value: str, region: str | None) -> bool:
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.is_valid_number(number))


_EXTENSION = r"(?: ?(?:x|ext\.? ?)\d{1,6})?"

PHONE = Recognizer(
    "PHONE_NUMBER",
    (
        Shape(
            r"(?i)(?:^|[^\w.+-])(\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{1,5}){1,6}"
            + _EXTENSION
            + r")\b",
            0.9,
            hints=("+",),
            check=_valid_international,
        ),
        Shape(
            r"(?i)(?:^|[^\w.+-])(00\d{1,3}[ .-]\(?\d{1,4}\)?(?:[ .-]?\d{1,5}){1,6}"
            + _EXTENSION
            + r")\b",
            0.85,
            check=_valid_international,
        ),
        Shape(
            r"(?i)(?:^|[^\w.+-])(\(\d{3}\)[ .-]?\d{3}[ .-]\d{4}" + _EXTENSION + r")\b",
            0.85,
            check=_plausible,
        ),
        Shape(
            r"(?i)(?:^|[^\w.+-])(\d{3}(?:-\d{3}-|\.\d{3}\.)\d{4}" + _EXTENSION + r")\b",
            0.8,
            check=_plausible,
        ),
        Shape(
            r"(?i)(?:^|[^\w.+-])(\(?\d{2,5}\)?(?:[ ./-]{1,2}\d{2,8}){1,5}" + _EXTENSION + r")\b",
            0.6,
            check=_in_context,
        ),
        Shape(r"(?:^|[^\w.+/=-])(\d{7,13})\b", 0.5, check=_in_context),
        Shape(
            r"(?:^|[^\w.+-])(\(?0\d{1,4}\)?[ /-]\d{2,4}(?:[ -]?\d{2,4}){1,3})\b",
            0.6,
            check=_valid_national,
        ),
    ),
)
