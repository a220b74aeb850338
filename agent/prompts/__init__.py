"""Prompts are files; their version is a hash of what they say and goes into every decision."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files


@lru_cache(maxsize=8)
def prompt(name: str) -> str:
    """The text of `<name>.md` in this folder. Raises FileNotFoundError."""
    return (files("agent.prompts") / f"{name}.md").read_text("utf-8")


def prompt_version(name: str) -> str:
    """`<name>@` and the first twelve hex digits of its SHA-256."""
    return f"{name}@{hashlib.sha256(prompt(name).encode()).hexdigest()[:12]}"
