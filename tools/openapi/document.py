"""An OpenAPI 3.0 or 3.1 document: local references resolved, schemas as JSON Schema 2020-12.

What is not supported is refused where it is used, not where it stands: a document may hold more
than the policy asks for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tools.configured import OperationError
from tools.configured.schemas import dereferenced

METHODS = ("get", "put", "post", "delete", "patch")
"""Methods whose meaning is known; HEAD, OPTIONS and TRACE are not called."""


class DocumentError(ValueError):
    """The document cannot be read, or is none."""


class Document:
    """A parsed document. Lookups raise OperationError."""

    def __init__(self, tree: Mapping[str, Any]) -> None:
        version = str(tree.get("openapi", ""))
        if not version.startswith(("3.0", "3.1")):
            told = f"openapi is {version!r}" if version else "it has no `openapi` field"
            raise DocumentError(f"no OpenAPI 3.0 or 3.1 document: {told}")
        self._tree = tree
        self._old = version.startswith("3.0")
        self._operations = _operations(tree)

    def names(self) -> tuple[str, ...]:
        """Operation ids, `METHOD /path` where there is none."""
        return tuple(self._operations)

    def operation(self, name: str) -> tuple[str, str, dict[str, Any]]:
        """Method, path and the operation itself, its path's parameters among its own."""
        place = self._operations.get(name) or self._by_path(name)
        if place is None:
            near = get_close_matches(name, self._operations, n=5)
            hint = f"; near: {', '.join(near)}" if near else ""
            raise OperationError(f"the document has no operation {name!r}{hint}")
        path, method = place
        item = self._tree["paths"][path]
        operation = dict(item[method])
        operation["parameters"] = [*item.get("parameters", []), *operation.get("parameters", [])]
        return method.upper(), path, operation

    def _by_path(self, name: str) -> tuple[str, str] | None:
        method, _, path = name.partition(" ")
        known = self._tree.get("paths", {}).get(path, {})
        return (
            (path, method.lower())
            if method.lower() in METHODS and method.lower() in known
            else None
        )

    def resolved(self, node: Any) -> Any:
        """The node without references. Raises OperationError on foreign and endless ones."""
        return dereferenced(self._tree, node)

    def schema(self, node: Any) -> dict[str, Any]:
        """A schema of the document, resolved, as JSON Schema 2020-12."""
        resolved = self.resolved(node)
        return _modern(resolved) if self._old else dict(resolved)


def load_document(text: str) -> Document:
    """JSON or YAML. Raises DocumentError."""
    try:
        tree = json.loads(text) if text.lstrip().startswith("{") else YAML(typ="safe").load(text)
    except (ValueError, YAMLError) as mistake:
        raise DocumentError(f"neither JSON nor YAML: {mistake}") from mistake
    if not isinstance(tree, dict):
        raise DocumentError("an OpenAPI document is an object")
    return Document(tree)


def _operations(tree: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for path, item in tree.get("paths", {}).items():
        for method in METHODS:
            if method in item:
                name = item[method].get("operationId") or f"{method.upper()} {path}"
                found[str(name)] = (path, method)
    return found


def _modern(node: Any) -> Any:
    """OpenAPI 3.0's own dialect in the terms of JSON Schema 2020-12."""
    if isinstance(node, list):
        return [_modern(each) for each in node]
    if not isinstance(node, Mapping):
        return node
    new = {key: _modern(value) for key, value in node.items() if key != "nullable"}
    for bound, name in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        exclusive = new.get(bound)
        if exclusive is True:
            new[bound] = new.pop(name)
        elif exclusive is False:
            del new[bound]
    if node.get("nullable") is True and isinstance(new.get("type"), str):
        new["type"] = [new["type"], "null"]
    return new
