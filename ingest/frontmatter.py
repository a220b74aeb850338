"""text -> front matter (YAML between `---`, TOML between `+++`) and the body below it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from ingest.types import PageFault

MAX_CHARS = 65_536
"""Front matter is a handful of lines; anything longer is a page whose closing mark is missing."""

_KEY = re.compile(r"""^["']?([A-Za-z_][\w.-]*)["']?\s*[:=]""")
_DATE = re.compile(r":\s*\d{4}-\d{1,2}-\d{1,2}")
_TOML_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_CLOSERS = {"---": ("---", "..."), "+++": ("+++",)}
_HINT = "mend the front matter; the page is left out because its labels are unknown"


class FrontMatter(NamedTuple):
    """`values` with keys in lower case, `lines` of those keys (from 1), and the body.

    `body_line` is the line, from 1, at which the body starts.
    """

    values: Mapping[str, object]
    lines: Mapping[str, int]
    body: str
    body_line: int


def split_front_matter(text: str) -> FrontMatter:
    """Cut the front matter off `text`, whose line ends are `\\n`. Unknown keys are kept.

    A first line `---` that no key follows is a thematic break, not front matter. Raises PageFault
    when the block is not closed, cannot be parsed or is not a mapping.
    """
    lines = text.split("\n")
    mark = lines[0].rstrip()
    if mark not in _CLOSERS:
        return FrontMatter({}, {}, text, 1)
    end = next((n for n, line in enumerate(lines) if n and line.rstrip() in _CLOSERS[mark]), None)
    if end is None:
        if mark == "---" and not (len(lines) > 1 and _KEY.match(lines[1])):
            return FrontMatter({}, {}, text, 1)
        raise PageFault("front matter is never closed", f"end it with a line `{mark}`", 1)
    block = "\n".join(lines[1:end])
    if len(block) > MAX_CHARS:
        raise PageFault(f"front matter is longer than {MAX_CHARS} characters", _HINT, 1)
    values = _toml(block) if mark == "+++" else _yaml(block)
    places = {m[1].lower(): n for n, line in enumerate(lines[:end], 1) if (m := _KEY.match(line))}
    return FrontMatter(values, places, "\n".join(lines[end + 1 :]), end + 2)


def _yaml(block: str) -> Mapping[str, object]:
    try:
        loaded = YAML(typ="safe").load(block)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 2 if mark else 1
        raise PageFault(f"front matter is not YAML: {error.problem}", _HINT, line) from error
    except YAMLError as error:
        first = str(error).splitlines()[0]
        raise PageFault(f"front matter is not YAML: {first}", _HINT, 1) from error
    except ValueError as error:  # YAML makes dates of what looks like one
        line = next((n for n, text in enumerate(block.split("\n"), 2) if _DATE.search(text)), 1)
        raise PageFault(f"front matter holds an impossible date: {error}", _HINT, line) from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise PageFault("front matter is not a list of `key: value`", _HINT, 2)
    return {str(key).lower(): value for key, value in loaded.items()}


def _toml(block: str) -> Mapping[str, object]:
    try:
        loaded = tomllib.loads(block)
    except tomllib.TOMLDecodeError as error:
        place = _TOML_LINE.search(str(error))
        line = 1 + (int(place[1]) if place else block.count("\n") + 1)  # else at its end
        message = _TOML_LINE.sub("", str(error)).strip()
        raise PageFault(f"front matter is not TOML: {message}", _HINT, line) from error
    return {key.lower(): value for key, value in loaded.items()}
