"""Passwords: the value of a key that names one, in code, configuration and plain sentences."""

from guardrails.recognizers.base import Candidate, Recognizer, Shape
from guardrails.recognizers.entropy import placeholder

_KEY = (
    r"(?:passwd|password|passwort|passphrase|passcode|pwd|contrase[nx]a|mot de passe|senha|"
    r"wachtwoord|kennwort)"
)
_NAMES_TEXT = (
    "required optional string str none null nil true false boolean text value password passwd "
    "passphrase secret hidden input field default set empty undefined env user username basic "
    "encrypted hash hashed plain reset wrong expired incorrect invalid forgotten "
)
_NAMES = frozenset(_NAMES_TEXT.split())
_MIN_VALUE = 3


def _value(candidate: Candidate) -> bool:
    value = candidate.value.strip(".,;:!?")
    return len(value) >= _MIN_VALUE and value.lower() not in _NAMES and not placeholder(value)


def _with_digit_or_symbol(candidate: Candidate) -> bool:
    return _value(candidate) and not candidate.value.strip(".,;:!?'").isalpha()


def _alone(candidate: Candidate) -> bool:
    """A bare word after a colon is a password only when nothing but the line's end follows it."""
    if _with_digit_or_symbol(candidate):
        return True
    return _value(candidate) and not candidate.after.split("\n", 1)[0].strip(" .,;\"'`)}]")


PASSWORD = Recognizer(
    "PASSWORD",
    (
        Shape(
            rf"(?i){_KEY}[a-z0-9_-]{{0,20}}[\"'`\]]{{0,2}}[ \t]{{0,8}}(?:=>|:=|==?)[ \t]{{0,8}}"
            r"[\"'`]?([^\s\"'`,;&<>(){}\[\]$]{3,128})",
            0.9,
            check=_value,
        ),
        Shape(
            rf"(?i){_KEY}[a-z0-9_-]{{0,20}}[\"'`\]]{{0,2}}[ \t]{{0,8}}(?:=>|:=|==?|:)[ \t]{{0,8}}"
            r"(?:\"([^\s\"$<>{}][^\"\n$<>{}]{2,128})\")",
            0.9,
            check=_value,
        ),
        Shape(
            rf"(?i){_KEY}[a-z0-9_-]{{0,20}}[\"'`\]]{{0,2}}[ \t]{{0,8}}:[ \t]{{0,8}}"
            r"[\"'`]?([^\s\"'`,;&<>(){}\[\]$]{3,128})",
            0.85,
            check=_alone,
        ),
        Shape(
            rf"(?i)\b{_KEY},? (?:is|was|ist|es|est|to|as|of|=)[ :]{{1,3}}[\"'`]?"
            r"([^\s\"'`,;<>(){}\[\]$]{4,128})",
            0.8,
            check=_with_digit_or_symbol,
        ),
        Shape(
            r"(?i)\bcurl\b[^\n]{0,400}?\s(?:-u|--user|--proxy-user)[ =]{1,4}[\"']?"
            r"([^\s\"'$<>{}:\[\]]{0,64}:[^\s\"'<>{}\[\]]{3,128})",
            0.9,
            ("curl",),
            _value,
        ),
        Shape(
            r"(?i)password\"?[ \t]{1,3}value=\"([^\"\n$<>{}%]{3,128})\"", 0.9, ("value=",), _value
        ),
    ),
)
