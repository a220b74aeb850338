"""A YAML file of data as plain values that still know their line and column."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

Place = tuple[str | int, ...]
"""The way from the top of a file to one of its parts."""
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at a place of a file, and how it is mended. `code` is stable."""

    place: Place
    code: str
    message: str


class DataFileError(ValueError):
    """What is wrong in data files, one `FILE:LINE:COLUMN: PLACE: MESSAGE` a mistake."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file as it was read. `text` is what a version of it is the hash of."""

    path: str
    text: str
    _tree: Any = field(repr=False, default=None, compare=False)

    @property
    def plain(self) -> dict[str, JsonValue]:
        """Built-in types only; a date of YAML is its text."""
        values: dict[str, JsonValue] = json.loads(json.dumps(self._tree, default=str))
        return values

    def at(self, place: Place) -> str:
        """`FILE:LINE:COLUMN` of the deepest part of `place` that the file has, from 1."""
        line, column = _position(self._tree, place)
        return f"{self.path}:{line}:{column}"

    def has(self, place: Place) -> bool:
        return len(_found(self._tree, place)) == len(place)

    def told(self, problem: Problem) -> str:
        """`FILE:LINE:COLUMN: PLACE: MESSAGE`."""
        where = ".".join(map(str, problem.place)) or "the file"
        return f"{self.at(problem.place)}: {where}: {problem.message}"

    def parse(self, model: type[M]) -> M:
        """Raises DataFileError."""
        try:
            return model.model_validate(self.plain)
        except ValidationError as invalid:
            found = [_problem(self._tree, dict(error)) for error in _own(invalid)]
            raise DataFileError([self.told(each) for each in found]) from invalid


def read_data(path: Path) -> DataFile:
    """Raises DataFileError for what cannot be read, is no YAML, or is no mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failure:
        raise DataFileError([f"{path}:1:1: the file: cannot be read: {failure}"]) from failure
    return data_of(text, str(path))


def data_of(text: str, path: str) -> DataFile:
    """The same of a text that lies elsewhere, such as in a store. Raises DataFileError."""
    try:
        tree = _tree(text)
    except MarkedYAMLError as mistake:
        mark = mistake.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        said = f"{path}:{line}:{column}: the file: {mistake.problem or mistake}"
        raise DataFileError([said]) from mistake
    if not isinstance(tree, CommentedMap):
        raise DataFileError([f"{path}:1:1: the file: must be a mapping, `name: value`"])
    return DataFile(path, text, tree)


@lru_cache(maxsize=512)  # 10 ms a file: a folder is linted, previewed and published in one go
def _tree(text: str) -> Any:
    """Nobody changes a tree."""
    return YAML(typ="rt").load(text)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean NAME?`, or what there is where nothing is near, or nothing."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    few = 8
    return f"; known: {', '.join(names)}" if 0 < len(names) <= few else ""


def _own(invalid: ValidationError) -> list[ErrorDetails]:
    """Without lists called too short only because a member of theirs is wrong."""
    errors = invalid.errors(include_url=False)
    places = [error["loc"] for error in errors]
    return [
        error
        for error in errors
        if error["type"] != "too_short"
        or not any(
            len(p) > len(error["loc"]) and p[: len(error["loc"])] == error["loc"] for p in places
        )
    ]


def _problem(tree: Any, error: Mapping[str, Any]) -> Problem:
    place = _found(tree, error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "missing":
        message = f"{error['loc'][-1]} is missing"
    elif error["type"] == "extra_forbidden":
        message = "there is no such key here"
    return Problem(place, str(error["type"]), message)


def _found(tree: Any, place: Place) -> Place:
    """What of a place the file has: pydantic names members of a union too."""
    found: list[str | int] = []
    here = tree
    for part in place:
        if _has(here, part):
            here = here[part]
            found.append(part)
    return tuple(found)


def _has(here: Any, part: str | int) -> bool:
    if isinstance(here, CommentedMap):
        return part in here
    return isinstance(here, CommentedSeq) and isinstance(part, int) and part < len(here)


def _position(tree: Any, place: Place) -> tuple[int, int]:
    line, column = 0, 0
    here = tree
    for part in place:
        if not _has(here, part):
            break
        spot = here.lc.key(part) if isinstance(here, CommentedMap) else here.lc.item(part)
        line, column = spot[0], spot[1]
        here = here[part]
    return line + 1, column + 1
