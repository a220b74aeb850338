"""National identity, tax and insurance numbers, each with its published check digits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from guardrails.recognizers.base import Candidate, Recognizer, Shape, digits_of, luhn


def _weighted(digits: str, weights: Sequence[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def _cpf(digits: str) -> bool:
    """Brazil, Cadastro de Pessoas Fisicas: two check digits mod 11."""
    first = _weighted(digits, range(10, 1, -1)) * 10 % 11 % 10
    second = _weighted(digits, range(11, 1, -1)) * 10 % 11 % 10
    return len(set(digits)) > 1 and digits[9:] == f"{first}{second}"


def _dni(value: str) -> bool:
    """Spain, DNI and NIE: letter = number mod 23."""
    compact = value.upper().replace("-", "").replace(" ", "")
    number = compact[:-1].translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == compact[-1]


def _nhs(digits: str) -> bool:
    """United Kingdom, NHS number: mod 11."""
    check = 11 - _weighted(digits, range(10, 1, -1)) % 11
    return check % 11 == int(digits[9]) and check != 10  # noqa: PLR2004 - 10 is never issued


def _nir(digits: str) -> bool:
    """France, NIR: key = 97 - number mod 97."""
    return 97 - int(digits[:13]) % 97 == int(digits[13:])


def _steuer_id(digits: str) -> bool:
    """Germany, Steuer-Identifikationsnummer: ISO 7064 mod 11,10."""
    product = 10
    for digit in digits[:10]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(digits[10])


def _pesel(digits: str) -> bool:
    """Poland, PESEL: weights 1 3 7 9, mod 10."""
    return (10 - _weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10) % 10 == int(digits[10])


def _codice_fiscale(value: str) -> bool:
    """Italy, codice fiscale: check letter by D.M. 12/03/1974."""
    odd = "BAFHJNPRTVCESULDGIMOQKWZYX"
    total = 0
    for at, char in enumerate(value.upper()[:15]):
        rank = int(char) if char.isdigit() else ord(char) - ord("A")
        total += ord(odd[rank]) - ord("A") if at % 2 == 0 else rank
    return chr(ord("A") + total % 26) == value[15].upper()


_VERHOEFF_D = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_VERHOEFF_P = (
    "0123456789", "1576283094", "5803796142", "8916043527",
    "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def _aadhaar(digits: str) -> bool:
    """India, Aadhaar: Verhoeff's dihedral check."""
    check = 0
    for at, digit in enumerate(reversed(digits)):
        check = int(_VERHOEFF_D[check][int(_VERHOEFF_P[at % 8][int(digit)])])
    return check == 0 and digits[0] in "23456789"


def _of_digits(valid: Callable[[str], bool]) -> Callable[[Candidate], bool]:
    return lambda candidate: valid(digits_of(candidate.value))


def _of_digits_near(valid: Callable[[str], bool], *words: str) -> Callable[[Candidate], bool]:
    """For numbers whose single check digit passes one random number in ten."""
    return lambda candidate: candidate.near(words) and valid(digits_of(candidate.value))


def _of_value(valid: Callable[[str], bool]) -> Callable[[Candidate], bool]:
    return lambda candidate: valid(candidate.value)


NATIONAL_ID = Recognizer(
    "NATIONAL_ID",
    (
        Shape(r"\b(\d{3}\.\d{3}\.\d{3}-\d{2})\b", 0.95, check=_of_digits(_cpf)),
        Shape(r"\b(\d{11})\b", 0.8, ("cpf",), _of_digits_near(_cpf, "cpf")),
        Shape(
            r"(?i)\b((?:\d{8}|[xyz]-?\d{7})[ -]?[a-hj-np-tv-z])\b",
            0.8,
            ("dni", "nie", "nif", "documento"),
            _of_value(_dni),
        ),
        Shape(r"\b(\d{3}[ -]?\d{3}[ -]?\d{4})\b", 0.8, ("nhs",), _of_digits_near(_nhs, "nhs")),
        Shape(
            r"\b([12][ ]?\d{2}[ ]?(?:0[1-9]|1[0-2]|[2-9]\d)[ ]?\d{2}[ ]?\d{3}[ ]?\d{3}[ ]?\d{2})\b",
            0.95,
            check=_of_digits(_nir),
        ),
        Shape(
            r"\b([1-9]\d[ ]?\d{3}[ ]?\d{3}[ ]?\d{3})\b",
            0.8,
            ("steuer", "tax", "idnr", "tin"),
            _of_digits_near(_steuer_id, "steuer", "tax id", "idnr", "tin"),
        ),
        Shape(r"\b(\d{11})\b", 0.8, ("pesel",), _of_digits_near(_pesel, "pesel")),
        Shape(
            r"(?i)\b([a-z]{6}\d{2}[abcdehlmprst]\d{2}[a-z]\d{3}[a-z])\b",
            0.95,
            check=_of_value(_codice_fiscale),
        ),
        Shape(
            r"\b(\d{4}[ -]?\d{4}[ -]?\d{4})\b",
            0.8,
            ("aadhaar", "aadhar", "uidai"),
            _of_digits_near(_aadhaar, "aadhaar", "aadhar", "uidai"),
        ),
        Shape(
            r"\b(\d{3}[ -]\d{3}[ -]\d{3})\b",
            0.8,
            ("sin", "social insurance"),
            _of_digits_near(luhn, "sin", "social insurance"),
        ),
        Shape(
            r"(?i)\b([a-ceghj-pr-tw-z][a-ceghj-npr-tw-z] ?\d{2} ?\d{2} ?\d{2} ?[a-d])\b",
            0.85,
            ("national insurance", "nino", "ni number", "insurance number"),
        ),
    ),
)
