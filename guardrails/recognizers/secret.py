"""Secrets without a prefix of their own: random-looking values that a key or a header names."""

import re2

from guardrails.recognizers.base import Candidate, Recognizer, Shape
from guardrails.recognizers.entropy import placeholder, random_looking

_KEY = (
    r"(?:api[_.-]?key|apikey|access[_.-]?key|auth[_.-]?key|private[_.-]?key|secret[_.-]?key|"
    r"signing[_.-]?key|encryption[_.-]?key|master[_.-]?key|account[_.-]?key|license[_.-]?key|"
    r"client[_.-]?secret|secret|token|credentials?|auth)"
)
_SEPARATOR = r"[\"'`\]]{0,2}[ \t]{0,8}(?:=>|:{1,2}=|==?|:|,|\bis\b|\bto\b)[ \t]{0,8}[\"'`(]{0,2}"
_NAMES_NO_SECRET = (
    "public", 'id"', "_id", "-id", " id", "name", "url", "uri", "type", "file", "path"
)  # fmt: skip
_KEY_BEFORE = re2.compile(r"([\w.-]+)[\"'`\]]{0,2}[^\w]{0,20}(?:is |to )?[^\w]{0,6}$")
_DIGEST_CONTEXT = ("sha1", "sha256", "sha512", "md5", "checksum", "digest", "commit", "integrity")
_ASSIGNED_BITS, _HEX_BITS, _LONE_BITS = 3.0, 2.9, 4.2
"""Bits a character of a random value: 16 hexadecimal characters average 3.2, base64 4.5 and more;
English words joined by hyphens stay below. Chosen on one half of the gitleaks test strings."""


def _assigned(candidate: Candidate) -> bool:
    key = _KEY_BEFORE.search(candidate.before)
    named = key is not None and any(word in key.group(1) for word in _NAMES_NO_SECRET)
    if named or _reference(candidate.value):
        return False
    return random_looking(candidate.value, _ASSIGNED_BITS)


def _reference(value: str) -> bool:
    """Paths, host names and member accesses are names of things, not secrets."""
    return value.count("/") > 2 or value.startswith(("/", "http", "./", "{", "env."))  # noqa: PLR2004


def _header(candidate: Candidate) -> bool:
    return not placeholder(candidate.value) and random_looking(candidate.value, _HEX_BITS)


def _lone(candidate: Candidate) -> bool:
    if any(word in candidate.before[-30:] for word in _DIGEST_CONTEXT):
        return False
    named = candidate.near(("secret", "token", "api key", "api_key", "apikey", "credential"))
    cases = candidate.value.lower() != candidate.value != candidate.value.upper()
    return named and cases and random_looking(candidate.value, _LONE_BITS)


SECRET = Recognizer(
    "SECRET",
    (
        Shape(
            rf"(?i){_KEY}[a-z0-9_.-]{{0,20}}{_SEPARATOR}([\w+/=.~!@#%^*-]{{10,500}})",
            0.75,
            check=_assigned,
        ),
        Shape(
            r"(?i)authorization[\"']?[ \t]{0,3}[:=][ \t]{0,3}[\"']?(?:bearer|basic|token|apikey|"
            r"digest|splunk|key)?[ \t]{0,3}([\w+/=.~-]{8,1000})",
            0.85,
            ("authorization",),
            _header,
        ),
        Shape(
            r"(?i)\b(?:x-(?:[a-z0-9]{1,20}-){0,3}(?:api-?key|auth|access-key|secret|token)|"
            r"private-token)[\"']?[ \t]{0,3}:"
            r"[ \t]{0,3}[\"']?([\w+/=.~-]{8,500})",
            0.85,
            check=_header,
        ),
        Shape(r"(?:^|[^\w+/=.-])([A-Za-z0-9+/_-]{28,128}={0,2})(?:[^\w+/=.-]|$)", 0.6, check=_lone),
    ),
)
