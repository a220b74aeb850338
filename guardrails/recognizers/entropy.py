"""Telling real secrets from placeholders and words."""

import math
from collections import Counter

import re2

_PLACEHOLDER = re2.compile(
    r"(?i)example|sample|place-?_?holder|dummy|fake|change-?_?me|replace|redacted|insert|"
    r"your|\bmy-|my_|<|>|\$\{|\$\(|\{\{|%\w+%|\.\.\.|…|xxxx|\*\*\*|-----|~~~~|____|"
    r"(?:aws|api|my)_?(?:secret|key)_?here|string_?here|_here$|^\$|^%"
)


_ALPHABET = "abcdefghij"
_SEQUENCE = re2.compile(r"(?i)012345|123456|234567|abcdef|bcdefg|987654|deadbeef|cafebabe|qwerty")


def entropy(value: str) -> float:
    """Shannon entropy of the characters, in bits a character."""
    total = len(value)
    return -sum(n / total * math.log2(n / total) for n in Counter(value).values()) if total else 0.0


def placeholder(value: str) -> bool:
    """Whether the value only shows where a secret goes, such as `YOUR_API_KEY`, `xxxx`, `$TOKEN`.

    Constants that are spelt as environment variables (`OPENAI_API_KEY`) count too.
    """
    return _ALPHABET in value.lower() or stands_in(value)


def stands_in(value: str) -> bool:
    """A placeholder for sure. Letters in the order of the alphabet are none where an issuer's
    prefix stands before them: people try the product with keys like that, and real ones follow."""
    if _PLACEHOLDER.search(value):
        return True
    if value.replace("_", "").isalpha() and value.isupper():
        return True
    most_common = Counter(value.lower()).most_common(1)[0][1] if value else 0
    return most_common > max(4, len(value) // 2)


def counted_up(value: str) -> bool:
    """Whether somebody typed it to show a shape: `1234567890`, `abcdef`, `deadbeef`."""
    return bool(_SEQUENCE.search(value))


def mixed(value: str) -> bool:
    """Whether letters and digits both occur."""
    return any(char.isdigit() for char in value) and any(char.isalpha() for char in value)


def random_looking(value: str, bits: float) -> bool:
    """Letters and digits, at least `bits` of entropy a character, and no placeholder."""
    return mixed(value) and entropy(value) >= bits and not placeholder(value)
