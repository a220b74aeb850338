"""A policy file from disk; every mistake with its line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

from tools.policy.types import Policy

Place = tuple[str | int, ...]


class PolicyError(ValueError):
    """What is wrong in a policy file, one `FILE:LINE: PLACE: MESSAGE` a mistake."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A policy with the file that it was read from, for messages that name lines."""

    policy: Policy
    path: Path
    _tree: Any = field(repr=False, default=None)

    def at(self, *place: str | int) -> str:
        """`FILE:LINE` of the deepest part of `place` that the file has."""
        return f"{self.path}:{_line(self._tree, place)}"

    @property
    def folder(self) -> Path:
        return self.path.parent


def load_policy(path: Path) -> PolicyFile:
    """Raises PolicyError."""
    try:
        tree = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as failure:
        raise PolicyError([f"{path}: cannot be read: {failure}"]) from failure
    except MarkedYAMLError as mistake:
        mark = mistake.problem_mark
        line = mark.line + 1 if mark else 1
        raise PolicyError([f"{path}:{line}: {mistake.problem or mistake}"]) from mistake
    if not isinstance(tree, CommentedMap):
        raise PolicyError([f"{path}:1: the file must be a mapping with version, sources and tools"])
    try:
        policy = Policy.model_validate(_plain(tree))
    except ValidationError as invalid:
        raise PolicyError(_told(path, tree, invalid)) from invalid
    file = PolicyFile(policy, path, tree)
    problems = [
        f"{file.at('tools', name, 'source')}: {name}: source {entry.source} is not named; known: "
        + (", ".join(policy.sources) or "none")
        for name, entry in policy.tools.items()
        if entry.source not in policy.sources
    ]
    if problems:
        raise PolicyError(problems)
    return file


def _plain(tree: CommentedMap) -> dict[str, Any]:
    """Built-in types only. YAML dates and the like become their text."""
    plain: dict[str, Any] = json.loads(json.dumps(tree, default=str))
    return plain


def _told(path: Path, tree: CommentedMap, invalid: ValidationError) -> list[str]:
    problems = []
    for error in invalid.errors(include_url=False):
        place = _without_tags(tree, error["loc"])
        message = error["msg"].removeprefix("Value error, ")
        where = ".".join(str(part) for part in place) or "the file"
        problems.append(f"{path}:{_line(tree, place)}: {where}: {message}")
    return problems


def _without_tags(tree: Any, loc: Place) -> Place:
    """Pydantic names the chosen member of a union in the place; the file does not."""
    place: list[str | int] = []
    here = tree
    for number, part in enumerate(loc):
        last = number == len(loc) - 1
        if _has(here, part):
            here = here[part]
            place.append(part)
        elif last and isinstance(here, CommentedMap):
            place.append(part)  # a key that is missing
    return tuple(place)


def _has(here: Any, part: str | int) -> bool:
    if isinstance(here, Mapping):
        return part in here
    return isinstance(here, CommentedSeq) and isinstance(part, int) and part < len(here)


def _line(tree: Any, place: Place) -> int:
    line = 1
    here = tree
    for part in place:
        if not _has(here, part):
            break
        spot = here.lc.key(part) if isinstance(here, CommentedMap) else here.lc.item(part)
        line = spot[0] + 1
        here = here[part]
    return line
