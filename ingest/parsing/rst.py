"""reStructuredText -> Markdown. Files are never included, raw output never passes.

Sphinx's own directives and roles are unknown to docutils: their content and text are kept, and
what would pull in other files or code (`literalinclude`, `automodule`) is left out with a note.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from docutils import nodes
from docutils.core import publish_doctree
from docutils.utils import Reporter, SystemMessage

from ingest.parsing.blocks import read_blocks
from ingest.parsing.decoding import decode
from ingest.parsing.rst_markdown import Writer, markdown_lines
from ingest.types import Document, Note, PageFault, RawPage

MAX_NESTING = 4
"""Unknown directives within unknown directives are read down to this depth."""

_SETTINGS: Mapping[str, object] = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "_disable_config": True,
    "report_level": Reporter.SEVERE_LEVEL + 1,  # nothing is printed; messages stay in the tree
    "halt_level": Reporter.SEVERE_LEVEL + 1,
    "line_length_limit": 100_000,
    "doctitle_xform": False,
    "sectsubtitle_xform": False,
    "docinfo_xform": False,
    "smart_quotes": False,
    "syntax_highlight": "none",
    "id_prefix": "",
    "auto_id_prefix": "%",
    "input_encoding": "unicode",
}
_UNKNOWN = re.compile(r'(?:Unknown|No) directive (?:type )?"?([\w:.-]+)"?|deactivated|disabled')
_DIRECTIVE = re.compile(r"^\.\.\s+(?:\|[^|]+\|\s+)?([\w:.-]+)::[ \t]*(.*)$")
_OPTION = re.compile(r"^\s*:[\w-]+:")
_TEMPLATING = {"toctree", "contents", "highlight", "index", "meta", "only", "currentmodule", "raw"}
_FOREIGN = re.compile(r"include|literalinclude|auto\w+|csv-table|openapi|mermaid|graphviz")
_VERSIONS = {
    "versionadded": "New in version",
    "versionchanged": "Changed in version",
    "deprecated": "Deprecated since version",
}


class _Directive(NamedTuple):
    name: str
    argument: str
    content: str


def read_rst(raw: RawPage) -> Document:
    """Labels come from a field list at the top: `:audience: staff`."""
    reader = _Reader()
    try:
        tree = reader.tree(decode(raw.data))
        lines, origins = markdown_lines(tree, reader.directive)
    except RecursionError as error:
        raise PageFault("the page is nested too deeply", "flatten its lists and quotes") from error
    except SystemMessage as error:  # pragma: no cover - the halt level is above every message
        raise PageFault(str(error), "mend the page") from error
    meta, places = _fields(tree)
    return Document(
        blocks=read_blocks(lines, origins),
        meta=meta,
        meta_lines=places,
        notes=tuple(reader.notes),
    )


class _Reader:
    """One page: collects notes while directives that docutils does not know are read."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self._depth = 0

    def tree(self, text: str) -> nodes.document:
        return publish_doctree(text, settings_overrides=dict(_SETTINGS))

    def directive(self, message: nodes.system_message, writer: Writer) -> list[str]:
        """What to show for a message of docutils: the content of a directive it does not know."""
        line = message.get("line")
        source = next((n.astext() for n in message.findall(nodes.literal_block)), "")
        found = _split(source)
        if found is None or not _UNKNOWN.search(message.astext()):
            return self._noted(message, line)
        if found.name in _TEMPLATING:
            return []
        if _FOREIGN.fullmatch(found.name):
            what = f"`{found.name}` is left out: other files are not pulled into a page"
            self.notes.append(Note(what, "write the text into the page, or link to it", line))
            return []
        return self._content(found, writer)

    def _content(self, directive: _Directive, writer: Writer) -> list[str]:
        if directive.name in _VERSIONS:
            lead = f"{_VERSIONS[directive.name]} {directive.argument}".strip()
            content = f"**{lead}**\n\n{directive.content}"
        elif directive.argument:
            content = f"**{directive.argument}**\n\n{directive.content}"
        else:
            content = directive.content
        if not content.strip() or self._depth >= MAX_NESTING:
            return [content] if content.strip() else []
        self._depth += 1
        try:
            return writer.blocks(self.tree(content))
        finally:
            self._depth -= 1

    def _noted(self, message: nodes.system_message, line: int | None) -> list[str]:
        if message["level"] >= Reporter.ERROR_LEVEL:
            first = next((n.astext() for n in message.findall(nodes.paragraph)), "syntax error")
            if "interpreted text role" not in first and "Unknown target name" not in first:
                self.notes.append(Note(" ".join(first.split()), "mend the markup", line))
        source = [n.astext() for n in message.findall(nodes.literal_block)]
        return [text for text in source if message["level"] >= Reporter.ERROR_LEVEL]


def _split(source: str) -> _Directive | None:
    lines = source.split("\n")
    head = _DIRECTIVE.match(lines[0])
    if head is None:
        return None
    body = lines[1:]
    while body and _OPTION.match(body[0]):
        body.pop(0)
    indents = [len(line) - len(line.lstrip()) for line in body if line.strip()]
    margin = min(indents, default=0)
    content = "\n".join(line[margin:] for line in body).strip("\n")
    return _Directive(head[1].rpartition(":")[2], head[2].strip(), content)


def _fields(tree: nodes.document) -> tuple[dict[str, object], dict[str, int]]:
    """The field list before or just below the title; it is metadata and no text."""
    meta: dict[str, object] = {}
    places: dict[str, int] = {}
    listing = next(iter(tree.findall(nodes.field_list)), None)
    if listing is None or not _is_docinfo(listing, tree):
        return meta, places
    for field in listing.findall(nodes.field):
        name, value = field[0].astext().strip().lower(), field[1].astext().strip()
        meta[name] = value
        places[name] = field.line or 1
    return meta, places


def _is_docinfo(listing: nodes.field_list, tree: nodes.document) -> bool:
    before = [n for n in tree.children if not isinstance(n, (nodes.comment, nodes.target))]
    return bool(before) and before[0] is listing
