"""HTML -> Markdown: the content of a page without its navigation, or one embedded element.

Headings keep their ids as `{#id}`; tables, lists, code and quotes become Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ingest.parsing import writing
from ingest.parsing.blocks import read_blocks
from ingest.parsing.decoding import decode
from ingest.types import Document, RawPage

MAX_DEPTH = 80
"""Elements nested deeper are taken as plain text: no page needs it, and recursion has an end."""

_BOILERPLATE = (
    "nav, script, style, noscript, template, iframe, object, svg, canvas, button, input, select, "
    "form, dialog, [hidden], [role=navigation], [role=search], [role=contentinfo], "
    "a.headerlink, a.anchor, .breadcrumb, .breadcrumbs, .sidebar, .toc, #toc, .skip-link"
)
_MAIN = ("main", "[role=main]", "article", "body")
_ADMONITION = re.compile(r"note|tip|warn|caution|danger|info|important|admonition|callout|alert")
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = {
    *("address", "article", "aside", "blockquote", "body", "center", "dd", "details", "div", "dl"),
    *("dt", "fieldset", "figcaption", "figure", "footer", "header", "hr", "html", "li", "main"),
    *("ol", "p", "pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead"),
    *("tr", "ul", *_HEADINGS),
}
_MARKS = {"strong": "**", "b": "**", "em": "*", "i": "*"}
_LANGUAGE = re.compile(r"(?:^|\s)(?:language|lang|highlight|brush:?)-?\s*([\w+#-]+)")
_CHARSET = re.compile(rb"""<meta[^>]{0,200}charset=["']?([\w-]{2,40})""", re.I)
_SPACES = re.compile(r"[ \t\n\r\f\v]+")
_TAG_LIKE = re.compile(r"<(?=[A-Za-z/!?])")
_LANGUAGES_NOT = {"default", "none", "text", "plaintext"}


def read_html(raw: RawPage) -> Document:
    """A page: labels from `<meta name="audience" content="…">`, title of last resort `<title>`."""
    charset = _CHARSET.search(raw.data[:2048])
    tree = LexborHTMLParser(decode(raw.data, charset[1].decode("ascii") if charset else "utf-8"))
    title = tree.css_first("title")
    for node in tree.css(_BOILERPLATE):
        node.decompose()
    for node in tree.css("aside, header, footer"):
        if not _holds_content(node):
            node.decompose()
    content = next((n for selector in _MAIN if (n := tree.css_first(selector))), None)
    lines = "\n\n".join(_blocks(content, 0)).split("\n") if content else []
    return Document(
        blocks=read_blocks(lines, [1] * len(lines)),
        meta=_meta(tree),
        title=_SPACES.sub(" ", title.text()).strip() if title else None,
    )


def markdown_of(html: str) -> str:
    """One element, such as a table that stands in a Markdown page."""
    tree = LexborHTMLParser(html)
    for node in tree.css("script, style, iframe"):
        node.decompose()
    return "\n\n".join(_blocks(tree.body, 0)) if tree.body else ""


def _holds_content(node: LexborNode) -> bool:
    """A header that carries the page's title, or an aside that is a note, is no boilerplate."""
    if node.tag == "aside":
        return bool(_ADMONITION.search(node.attributes.get("class") or ""))
    return node.tag == "header" and node.css_first("h1") is not None


def _meta(tree: LexborHTMLParser) -> Mapping[str, object]:
    found: dict[str, object] = {}
    for node in tree.css("meta[name][content]"):
        name = (node.attributes.get("name") or "").lower().removeprefix("embark:")
        found[name] = node.attributes.get("content") or None
    found.pop("title", None)
    return found


def _blocks(node: LexborNode, depth: int) -> Iterator[str]:
    """The Markdown blocks of what `node` holds."""
    inline: list[str] = []
    for child in node.iter(include_text=True):
        tag = child.tag or ""
        if tag not in _BLOCKS and not (tag == "a" and _is_target(child)):
            inline.append(_inline(child, depth + 1))
            continue
        yield from _paragraph(inline)
        inline = []
        if depth > MAX_DEPTH:
            yield from _paragraph([child.text(separator=" ")])
        else:
            yield from _block(child, tag, depth + 1)
    yield from _paragraph(inline)


def _block(node: LexborNode, tag: str, depth: int) -> Iterator[str]:
    if tag in _HEADINGS:
        yield from _heading(node, _HEADINGS[tag])
        return
    match tag:
        case "a":
            yield f'<a id="{_identity(node)}"></a>'
        case "ul" | "ol":
            yield from _list(node, tag == "ol", depth)
        case "table":
            yield from _table(node)
        case "pre":
            yield _code(node)
        case "blockquote":
            yield writing.quoted("\n\n".join(_blocks(node, depth)))
        case "dt" | "summary" | "figcaption":
            yield from _paragraph([f"**{text}**" if (text := _flat(node)) else ""])
        case _:
            yield from _blocks(node, depth)


def _paragraph(parts: Iterable[str]) -> Iterator[str]:
    lines = (_SPACES.sub(" ", line) for line in "".join(parts).split("\v"))
    if text := writing.paragraph("\n".join(lines)):
        yield text


def _heading(node: LexborNode, level: int) -> Iterator[str]:
    text = _flat(node)
    if not text:
        return
    parent = node.parent
    anchor = _identity(node)
    if anchor is None and parent is not None and parent.tag in {"section", "div"}:
        first = next((c for c in parent.iter() if c.tag != "span"), None)  # Sphinx puts the id here
        anchor = _identity(parent) if first is not None and first.mem_id == node.mem_id else None
    yield f"{'#' * level} {text}" + (f" {{#{anchor}}}" if anchor else "")


def _identity(node: LexborNode) -> str | None:
    value = node.attributes.get("id") or (node.attributes.get("name") if node.tag == "a" else None)
    return value if value and not re.search(r"[\s{}\"<>]", value) else None


def _is_target(node: LexborNode) -> bool:
    return bool(_identity(node)) and not node.attributes.get("href") and not node.text().strip()


def _list(node: LexborNode, ordered: bool, depth: int) -> Iterator[str]:
    start = node.attributes.get("start") or "1"
    number = int(start) if start.isdecimal() and len(start) < 8 else 1  # noqa: PLR2004
    items: list[str] = []
    for child in node.iter():
        mark = f"{number}. " if ordered else "- "
        if body := writing.item(list(_blocks(child, depth + 1))):
            items.append(writing.hung(body, mark))
            number += 1
    if items:
        yield "\n".join(items)


def _table(node: LexborNode) -> Iterator[str]:
    """First row as header: Markdown knows no table without one. A table in a cell is flattened."""
    rows: list[list[str]] = []
    for row in node.css("tr"):
        cells: list[str] = []
        for cell in row.iter():
            if cell.tag in {"td", "th"}:
                span = cell.attributes.get("colspan") or "1"
                extra = min(int(span), 100) - 1 if span.isdecimal() else 0
                cells += [_flat(cell, breaks="<br>"), *[""] * extra]
        if any(cells):
            rows.append(cells)
    if len(rows) == 1 and len(rows[0]) == 1:  # a box drawn with a table
        yield from _paragraph(rows[0])
    elif rows:
        caption = node.css_first("caption")
        if caption is not None and (text := _flat(caption)):
            yield f"**{text}**"
        yield writing.table(rows[0], rows[1:])


def _code(node: LexborNode) -> str:
    return writing.fenced(node.text().strip("\n").rstrip(), _language(node))


def _language(node: LexborNode) -> str:
    """Highlighters name the language on the block, the code in it, or the boxes around it."""
    around = [node.css_first("code"), node, node.parent, node.parent and node.parent.parent]
    for place in around:
        if place is None:
            continue
        found = _LANGUAGE.search(place.attributes.get("class") or "")
        if found and found[1] not in _LANGUAGES_NOT:
            return found[1]
    return ""


def _flat(node: LexborNode, breaks: str = " ") -> str:
    """All of `node` on one line; `breaks` stands between its blocks and for its line breaks."""
    text = "".join(_inline(child, 0) for child in node.iter(include_text=True))
    parts = (_SPACES.sub(" ", part).strip() for part in text.split("\v"))
    return breaks.join(part for part in parts if part)


def _inline(node: LexborNode, depth: int) -> str:
    """Inline Markdown; `\\v` stands for a line break."""
    tag = node.tag or ""
    if tag == "-text":
        return _TAG_LIKE.sub(r"\\<", (node.text_content or "").replace("\v", " "))
    if tag in _LEAVES:
        return _LEAVES[tag](node)
    if tag.startswith(("-", "_")):
        return ""
    if depth > MAX_DEPTH:
        return node.text()
    inner = "".join(_inline(child, depth + 1) for child in node.iter(include_text=True))
    return _marked(node, tag, inner)


def _marked(node: LexborNode, tag: str, inner: str) -> str:
    if tag in _BLOCKS:
        return f"\v{'• ' if tag == 'li' else ''}{inner}\v"
    text = inner.strip()
    if tag in _MARKS and text and "\v" not in text and not text.startswith("*"):
        mark = _MARKS[tag]
        return inner.replace(text, f"{mark}{text}{mark}", 1)
    href = (node.attributes.get("href") or "").strip() if tag == "a" else ""
    if href and text and "\v" not in text and not href.lower().startswith("javascript:"):
        return inner.replace(text, f"[{text}]({_SPACES.sub('%20', href)})", 1)
    return inner


def _image(node: LexborNode) -> str:
    alt = _SPACES.sub(" ", node.attributes.get("alt") or "").strip()
    source = (node.attributes.get("src") or "").strip()
    usable = alt and source and not source.startswith("data:")
    return f"![{alt}]({_SPACES.sub('%20', source)})" if usable else alt


def _code_span(node: LexborNode) -> str:
    return writing.code_span(node.text())


_LEAVES: Mapping[str, Callable[[LexborNode], str]] = {
    "br": lambda _: "\v",
    "img": _image,
    **dict.fromkeys(("code", "kbd", "samp", "tt"), _code_span),
}
