"""United States social security numbers."""

from guardrails.recognizers.base import Candidate, Recognizer, Shape, digits_of

_CONTEXT = ("ssn", "social security", "soc sec", "social-security", "taxpayer")
_PUBLISHED = {"078051120", "219099999", "123456789"}  # printed on specimen cards


def _issuable(candidate: Candidate) -> bool:
    """Area not 000, 666 or 9xx, group not 00, serial not 0000 (SSA randomisation, 2011)."""
    digits = digits_of(candidate.value)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    if digits in _PUBLISHED or group == "00" or serial == "0000":
        return False
    return area not in ("000", "666") and area < "900"


def _in_context(candidate: Candidate) -> bool:
    return candidate.near(_CONTEXT) and len(set(digits_of(candidate.value))) > 1


US_SSN = Recognizer(
    "US_SSN",
    (
        Shape(r"(?:^|[^\w-])(\d{3}-\d{2}-\d{4})(?:[^\w-]|$)", 0.95, check=_issuable),
        Shape(
            r"(?:^|[^\w-])(\d{3}[ .-]?\d{2}[ .-]?\d{4})(?:[^\w-]|$)",
            0.95,
            hints=("ssn", "soc", "taxpayer"),
            check=_in_context,
        ),
    ),
)
