"""Private keys in PEM armour and in the text forms of age and PuTTY."""

from guardrails.recognizers.base import Candidate, Recognizer, Shape

_MIN_BODY = 24


def _has_body(candidate: Candidate) -> bool:
    body = candidate.value.split("-----")[2] if candidate.value.count("-----") > 1 else ""
    return len("".join(body.split())) >= _MIN_BODY


PRIVATE_KEY = Recognizer(
    "PRIVATE_KEY",
    (
        Shape(  # the end line may have been cut off
            r"(-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-[^-])*"
            r"(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----)?)",
            1.0,
            ("private key",),
            _has_body,
        ),
        Shape(r"\b(AGE-SECRET-KEY-1[A-Z0-9]{58})\b", 1.0, ("age-secret-key",)),
        Shape(r"(?s)(Private-Lines: \d{1,3}\s[A-Za-z0-9+/=\s]{24,900})", 1.0, ("private-lines",)),
    ),
)
