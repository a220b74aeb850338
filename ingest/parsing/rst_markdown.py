"""docutils tree -> Markdown blocks with the lines that they came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from docutils import nodes

from ingest.parsing import writing

_ROLE = re.compile(r"^:[\w:.+-]+:`(.*)`$", re.S)
_LABELLED = re.compile(r"^(.*?)\s*<([^<>]+)>$", re.S)
_ADMONITIONS = (
    *(nodes.note, nodes.warning, nodes.tip, nodes.important, nodes.caution, nodes.danger),
    *(nodes.attention, nodes.error, nodes.hint),
)
_LANGUAGE_CLASSES = {"code", "highlight", "literal-block"}


class Writer:
    """Blocks of one tree. `directive` says what a system message of docutils is shown as."""

    def __init__(self, directive: Callable[[nodes.system_message, Writer], list[str]]) -> None:
        self._directive = directive
        self._level = 0

    def blocks(self, parent: nodes.Element) -> list[str]:
        """Markdown blocks of everything that `parent` holds."""
        return [text for child in parent.children for text in self.block(child)]

    def block(self, node: nodes.Node) -> list[str]:
        """One node of block level; nodes that carry no text give nothing."""
        for kinds, write in _WRITERS:
            if isinstance(node, kinds):
                return write(self, node)
        if isinstance(node, _SILENT):
            return []
        if isinstance(node, nodes.TextElement):
            return _nonempty(writing.paragraph(inline(node)))
        return self.blocks(node) if isinstance(node, nodes.Element) else []

    def section(self, node: nodes.Element) -> list[str]:
        self._level += 1
        title = next((c for c in node.children if isinstance(c, nodes.title)), None)
        names = [name for name in node["ids"] if not name.startswith("%")]
        found: list[str] = []
        if title is not None:
            level = min(self._level, 6)
            anchor = f" {{#{names[0]}}}" if names else ""
            found.append(f"{'#' * level} {writing.one_line(inline(title))}{anchor}")
        found += [f'<a id="{name}"></a>' for name in names[1:]]
        rest = [child for child in node.children if child is not title]
        found += [text for child in rest for text in self.block(child)]
        self._level -= 1
        return found

    def message(self, node: nodes.Element) -> list[str]:
        assert isinstance(node, nodes.system_message)
        return self._directive(node, self)

    def listing(self, node: nodes.Element) -> list[str]:
        start = int(node.get("start", 1))
        ordered = isinstance(node, nodes.enumerated_list)
        items: list[str] = []
        for number, item in enumerate(node.children, start):
            mark = f"{number}. " if ordered else "- "
            if isinstance(item, nodes.Element) and (body := self.blocks(item)):
                items.append(writing.hung(writing.item(body), mark))
        return ["\n".join(items)] if items else []

    def definitions(self, node: nodes.Element) -> list[str]:
        found: list[str] = []
        for item in node.children:
            terms = [c for c in getattr(item, "children", ()) if isinstance(c, nodes.term)]
            bodies = [c for c in getattr(item, "children", ()) if isinstance(c, nodes.definition)]
            body = [text for definition in bodies for text in self.blocks(definition)]
            head = ", ".join(f"**{writing.one_line(inline(term))}**" for term in terms)
            found.append(writing.hung(writing.item([head, *body]), "- "))
        return ["\n".join(found)] if found else []

    def fields(self, node: nodes.Element) -> list[str]:
        if node.parent is not None and node.parent.index(node) == 0 and not self._level:
            return []  # labels of the page
        rows: list[str] = []
        for field in node.children:
            if isinstance(field, (nodes.field, nodes.option_list_item)):
                body = self.blocks(field.children[1])  # type: ignore[arg-type]
                rows.append(writing.hung(writing.item([f"**{field[0].astext()}**", *body]), "- "))
        return ["\n".join(rows)] if rows else []

    def quote(self, node: nodes.Element) -> list[str]:
        return _nonempty(writing.quoted("\n\n".join(self.blocks(node))))

    def admonition(self, node: nodes.Element) -> list[str]:
        title = next((c for c in node.children if isinstance(c, nodes.title)), None)
        name = writing.one_line(inline(title)) if title is not None else node.tagname.capitalize()
        body = "\n\n".join(t for c in node.children if c is not title for t in self.block(c))
        return [writing.quoted(f"**{name}:** {body}".rstrip())]

    def code(self, node: nodes.Element) -> list[str]:
        named = [c for c in node["classes"] if c not in _LANGUAGE_CLASSES]
        return [writing.fenced(node.astext().strip("\n"), named[0] if named else "")]

    def table(self, node: nodes.Element) -> list[str]:
        rows = [
            [cell for entry in row.children for cell in self._cells(entry)]
            for row in node.findall(nodes.row)
        ]
        title = next((c for c in node.children if isinstance(c, nodes.title)), None)
        caption = [f"**{writing.one_line(inline(title))}**"] if title is not None else []
        return [*caption, writing.table(rows[0], rows[1:])] if rows else caption

    def _cells(self, entry: nodes.Node) -> list[str]:
        if not isinstance(entry, nodes.Element):
            return []
        text = "<br>".join(writing.one_line(block) for block in self.blocks(entry))
        return [text, *[""] * int(entry.get("morecols", 0))]

    def target(self, node: nodes.Element) -> list[str]:
        """A label that names the place below it; one that names an address is no place."""
        if "refuri" in node or "refid" not in node:
            return []
        return [f'<a id="{node["refid"]}"></a>']

    def lines(self, node: nodes.Element) -> list[str]:
        return _nonempty("\n".join(inline(line) for line in node.findall(nodes.line)))

    def image(self, node: nodes.Element) -> list[str]:
        return _nonempty(_image(node))


def markdown_lines(
    tree: nodes.document, directive: Callable[[nodes.system_message, Writer], list[str]]
) -> tuple[list[str], list[int]]:
    """The page as Markdown lines. Lines of the source are not kept by docutils' transforms as
    closely as chunks would need, so every line is told as the first."""
    lines = "\n\n".join(Writer(directive).blocks(tree)).split("\n")
    return lines, [1] * len(lines)


def inline(node: nodes.Node) -> str:
    """Inline Markdown of what a node holds."""
    return "".join(_inline_of(child) for child in node.children)


def _inline_of(node: nodes.Node) -> str:
    write = next((write for kinds, write in _INLINE if isinstance(node, kinds)), None)
    return write(node) if write else inline(node)


def _reference(node: nodes.Element) -> str:
    target = node.get("refuri") or (f"#{node['refid']}" if node.get("refid") else None)
    return f"[{inline(node)}]({target})" if target else inline(node)


def _role_text(source: str) -> str:
    """The text of a Sphinx role: ``:ref:`text <target>` `` gives text, others their content."""
    role = _ROLE.match(source)
    if role is None:
        return source
    labelled = _LABELLED.match(role[1])
    if labelled and labelled[1]:
        return labelled[1]
    kind = source[1 : source.index("`")].rstrip(":")
    text = role[1].lstrip("~!")
    linking = {"ref", "doc", "numref", "term", "guilabel", "menuselection", "abbr"}
    return text.replace("-->", "→") if kind in linking else f"`{text}`"


def _image(node: nodes.Element) -> str:
    alt = " ".join(str(node.get("alt", "")).split())
    return f"![{alt}]({node.get('uri', '')})" if alt else ""


def _nonempty(text: str) -> list[str]:
    return [text] if text.strip() else []


_SILENT: tuple[Any, ...] = (
    nodes.Invisible,
    nodes.decoration,
    nodes.footnote_reference,
    nodes.meta,
    nodes.title,
    nodes.transition,
)
_WRITERS: Sequence[tuple[tuple[type[nodes.Node], ...], Callable[[Writer, Any], list[str]]]]
_WRITERS = (
    ((nodes.section,), Writer.section),
    ((nodes.system_message,), Writer.message),
    ((nodes.bullet_list, nodes.enumerated_list), Writer.listing),
    ((nodes.definition_list,), Writer.definitions),
    ((nodes.field_list, nodes.option_list), Writer.fields),
    ((nodes.block_quote,), Writer.quote),
    ((*_ADMONITIONS, nodes.admonition, nodes.topic, nodes.sidebar), Writer.admonition),
    ((nodes.literal_block, nodes.doctest_block), Writer.code),
    ((nodes.table,), Writer.table),
    ((nodes.target,), Writer.target),
    ((nodes.line_block,), Writer.lines),
    ((nodes.image,), Writer.image),
)
_INLINE: Sequence[tuple[tuple[type[nodes.Node], ...], Callable[[Any], str]]] = (
    ((nodes.Text,), lambda node: str(node.astext())),
    ((nodes.strong,), lambda node: f"**{inline(node)}**"),
    ((nodes.emphasis, nodes.title_reference), lambda node: f"*{inline(node)}*"),
    ((nodes.literal,), lambda node: writing.code_span(node.astext())),
    ((nodes.reference,), _reference),
    ((nodes.image,), _image),
    ((nodes.problematic,), lambda node: _role_text(node.astext())),
    ((nodes.system_message, nodes.target, nodes.footnote_reference), lambda _: ""),
)
