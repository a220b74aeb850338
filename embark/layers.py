"""embark.toml < environment < flags -> Settings, with the origin of every value.

A mistake is reported with the key, the file or variable that holds it, and how to mend it.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, JsonValue, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource
from pydantic_settings.exceptions import SettingsError as EnvError

from embark.settings import Settings

Tree = dict[str, JsonValue]

FILE_NAME = "embark.toml"
PREFIX = "EMBARK_"
NOT_SETTINGS = ("EMBARK_CONFIG", "EMBARK_QDRANT_URL", "EMBARK_TEST_")
"""Variables (or their beginnings) with our prefix that are no settings."""
PATH_KEYS = (
    *("data_dir", "path", "labels", "golden", "api_key_file", "secrets_file"),
    *("tools", "flows", "folder"),
)
"""Keys whose relative value starts at the folder of the file that holds it."""
TRACING = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2")
"""Variables by which LangChain would send every text to a service on the net."""
SECRETS = (
    ("staff", "oidc", "api_key"),
    ("model", "api_key"),
    ("index", "api_key"),
    ("database", "url"),
    ("actions", "url"),
)


class ConfigurationError(Exception):
    """The configuration cannot be used; every line says what, where and how to mend."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class UnreachableError(Exception):
    """A service that the settings name does not answer."""


@dataclass(frozen=True, slots=True)
class Value:
    """One setting as `config show` prints it."""

    key: str
    value: JsonValue
    origin: str  # `default`, `flag`, `env EMBARK_X`, or the file


@dataclass(frozen=True, slots=True)
class Layer:
    """Raw values of one source; `label` names it and `env` tells variables from keys."""

    label: str
    values: Tree
    env: bool = False

    def holds(self, path: Sequence[str | int]) -> bool:
        """Whether this layer sets the value at `path`, or the list or table that it is in."""
        node: JsonValue = self.values
        for step in path:
            if isinstance(node, dict):
                if str(step) not in node:
                    return False
                node = node[str(step)]
            elif isinstance(node, list) and isinstance(step, int):
                if step >= len(node):
                    return False
                node = node[step]
            else:
                return True
        return True

    def origin(self, path: Sequence[str | int]) -> str:
        if not self.env:
            return self.label
        names = [
            PREFIX + "__".join(str(p).upper() for p in path[:n]) for n in range(len(path), 0, -1)
        ]
        present = {name.upper() for name in os.environ}
        return f"env {next((name for name in names if name in present), names[-1])}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings and where they came from, lowest layer first."""

    settings: Settings
    layers: tuple[Layer, ...]
    file: Path | None

    def values(self) -> Iterator[Value]:
        """Every setting in file order, secrets masked."""
        for path, value in _leaves(self.settings, ()):
            yield Value(_dotted(path), value, _origin(self.layers, path))


def load_settings(
    config: Path | None = None, flags: Mapping[str, JsonValue] | None = None
) -> Loaded:
    """Read `config` (else EMBARK_CONFIG, else the nearest embark.toml), the environment, `flags`.

    `flags` maps dotted keys to values. Raises ConfigurationError.
    """
    file = _find(config)
    layers = tuple(
        layer
        for layer in (_file_layer(file), _env_layer(), _flag_layer(flags or {}))
        if layer.values
    )
    merged: Tree = {}
    for layer in layers:
        merged = _merge(merged, layer.values)
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as failure:
        raise ConfigurationError([_explain(e, layers) for e in failure.errors()]) from failure
    return Loaded(settings, layers, file)


def tracing_variables() -> list[str]:
    """The variables of `TRACING` that are switched on."""
    return [name for name in TRACING if os.environ.get(name, "").lower() in {"1", "true"}]


def _find(config: Path | None) -> Path | None:
    named = config or (
        Path(os.environ["EMBARK_CONFIG"]) if os.environ.get("EMBARK_CONFIG") else None
    )
    if named is not None:
        if not named.is_file():
            raise ConfigurationError([f"{named}: no such file; `embark init` writes one"])
        return named.resolve()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
        project = folder / "pyproject.toml"
        if project.is_file() and "embark" in _read_toml(project).get("tool", {}):
            return project
    return None


def _read_toml(file: Path) -> dict[str, dict[str, JsonValue]]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as failure:
        raise ConfigurationError([f"{file}: not valid TOML: {failure}"]) from failure
    except OSError as failure:
        raise ConfigurationError([f"{file}: cannot be read: {failure.strerror}"]) from failure


def _file_layer(file: Path | None) -> Layer:
    if file is None:
        return Layer("no file", {})
    document: JsonValue = dict(_read_toml(file))
    if file.name == "pyproject.toml":
        document = _at(document, ("tool", "embark"))
    values = document if isinstance(document, dict) else {}
    for path in SECRETS:
        _refuse_secret(file, path, _at(values, path))
    anchored = _anchor(values, file.parent)
    return Layer(str(file), anchored if isinstance(anchored, dict) else {})


def _refuse_secret(file: Path, path: tuple[str, ...], value: JsonValue) -> None:
    """Database addresses without a password may stand in a file; keys may not."""
    if value is None or (path == ("database", "url") and not _has_password(str(value))):
        return
    variable = PREFIX + "__".join(path).upper()
    raise ConfigurationError(
        [f"{file}: {_dotted(path)} is a secret: take it out and set {variable} instead"]
    )


def _has_password(url: str) -> bool:
    return ":" in url.partition("://")[2].rpartition("@")[0]


def _env_layer() -> Layer:
    known = set(Settings.model_fields)
    for name in os.environ:
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper.startswith(NOT_SETTINGS):
            continue
        field = upper.removeprefix(PREFIX).split("__")[0].lower()
        if field not in known:
            raise ConfigurationError([f"{name}: no such setting{_near(field, known, PREFIX)}"])
    try:
        return Layer("environment", dict(EnvSettingsSource(Settings)()), env=True)
    except EnvError as failure:
        reason = failure.__cause__ or failure
        raise ConfigurationError([f"environment: {failure}: {reason}"]) from failure


def _flag_layer(flags: Mapping[str, JsonValue]) -> Layer:
    values: Tree = {}
    for key, value in flags.items():
        nested: JsonValue = value
        for part in reversed(key.split(".")):
            nested = {part: nested}
        if isinstance(nested, dict):
            values = _merge(values, nested)
    return Layer("flag", values)


def _merge(lower: Tree, upper: Tree) -> Tree:
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _merge(below, value) if both else value  # type: ignore[arg-type]
    return merged


def _anchor(node: JsonValue, folder: Path, key: str = "") -> JsonValue:
    """Make relative paths of a file absolute, so that the working folder does not matter."""
    if isinstance(node, dict):
        return {name: _anchor(value, folder, name) for name, value in node.items()}
    if isinstance(node, list):
        return [_anchor(value, folder) for value in node]
    if key in PATH_KEYS and isinstance(node, str):
        return os.path.normpath(folder / Path(node).expanduser())
    return node


def _at(node: JsonValue, path: Sequence[str]) -> JsonValue:
    for step in path:
        node = node.get(step) if isinstance(node, dict) else None
    return node


def _explain(error: ErrorDetails, layers: Sequence[Layer]) -> str:
    path = error["loc"]
    message = error["msg"].removeprefix("Value error, ")
    given = error["input"]
    where = _origin(layers, path) if path else "configuration"
    if error["type"] == "extra_forbidden":
        known = _fields_at(path[:-1])
        return f"{where}: {_dotted(path)}: no such setting{_near(str(path[-1]), known)}"
    if error["type"] == "missing":
        return f"{_origin(layers, path[:-1])}: {_dotted(path)} is needed"
    shown = "" if isinstance(given, dict | list | BaseModel) else f" (given: {given!r})"
    return f"{where}: {_dotted(path)}: {message}{shown}"


def _fields_at(path: Sequence[str | int]) -> set[str]:
    model: type[BaseModel] = Settings
    for step in path:
        if isinstance(step, int):
            continue
        found = _section(model.model_fields[step].annotation)
        if found is None:
            return set()
        model = found
    return set(model.model_fields)


def _section(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_section(part) for part in getattr(annotation, "__args__", ()))
    return next((part for part in inner if part is not None), None)


def _near(name: str, known: set[str], prefix: str = "") -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    if close:
        return f"; did you mean {(prefix + close[0]).upper() if prefix else close[0]}?"
    return f"; known: {', '.join(sorted(known))}"


def _origin(layers: Sequence[Layer], path: Sequence[str | int]) -> str:
    holder = next((layer for layer in reversed(layers) if layer.holds(path)), None)
    return holder.origin(path) if holder else "default"


Leaf = tuple[tuple[str | int, ...], JsonValue]


def _leaves(node: object, path: tuple[str | int, ...]) -> Iterator[Leaf]:
    if isinstance(node, BaseModel):
        for name in type(node).model_fields:
            yield from _leaves(getattr(node, name), (*path, name))
    elif isinstance(node, tuple) and node and isinstance(node[0], BaseModel):
        for position, item in enumerate(node):
            yield from _leaves(item, (*path, position))
    else:
        yield path, _plain(node)


def _plain(value: object) -> JsonValue:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case SecretStr():
            return "********"
        case tuple() | list():
            return [_plain(item) for item in value]
        case dict():
            return {str(name): _plain(item) for name, item in value.items()}
        case _:
            return str(value)


def _dotted(path: Sequence[str | int]) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
