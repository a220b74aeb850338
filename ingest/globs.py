"""Globs over page paths: `*` and `?` within a folder, `**` across folders, `{a,b}` not supported.

A pattern without `/` matches the file name at any depth, as in ignore files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable


class Glob:
    """Several patterns as one: a path matches when any of them does."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._regexes = tuple(re.compile(_regex(pattern)) for pattern in patterns)

    def matches(self, path: str) -> bool:
        """`path` is posix, below the root, without a leading slash."""
        return any(regex.fullmatch(path) for regex in self._regexes)


def _regex(pattern: str) -> str:
    anchored = pattern.lstrip("/")
    if "/" not in pattern:
        anchored = f"**/{pattern}"
    elif pattern.endswith("/"):
        anchored += "**"
    tokens = re.findall(r"\*\*/|\*\*|\*|\?|[^*?]+", anchored)
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(parts.get(token, re.escape(token)) for token in tokens)
