"""Markdown body -> lines of content: templating, comments and wrapper tags taken off.

Whole lines go or stay: `{% … %}`, `{:.class}`, `<!-- … -->`, `{/* … */}`, MDX imports, lines of
nothing but wrapper tags (`<Tabs>`, `</div>`), admonition fences (`:::note`). Two things are
rewritten, because raw they are no text for a reader: HTML elements of content (tables, lists,
paragraphs) become Markdown, `{% highlight %}` becomes a code fence. Every other line stays as
it is, and code is never touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ingest.parsing.html import markdown_of
from ingest.types import Note

_FENCE = re.compile(r"^[ \t]*(?:>[ \t]?)*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(`{3,}|~{3,})(.*)$")
_LIQUID = re.compile(r"^\s*(?:\{%-?.*?-?%\}\s*)+$")
_LIQUID_OPEN = re.compile(r"^\s*\{%(?!.*%\})")
_HIGHLIGHT = re.compile(r"^\s*\{%-?\s*highlight\s+([\w+-]*).*%\}\s*$")
_LIQUID_COMMENT = re.compile(r"^\s*\{%-?\s*comment\b.*%\}\s*$")
_ATTRIBUTES = re.compile(r"^\s*\{:[^}]*\}\s*$")
_HEADING_ID = re.compile(r"^\s*\{:\s*#([\w.:-]+)[^}]*\}\s*$")
_ATX = re.compile(r"^ {0,3}#{1,6}[ \t]")
_ADMONITION = re.compile(r"^\s*:{3,}[ \t]*\{?[\w-]*\}?[ \t]*\[?([^\]]*)\]?[ \t]*$")
_MDX_MODULE = re.compile(r"^(?:import|export)\s+[\w{*'\"]")
_MDX_COMMENT = re.compile(r"^\s*\{/\*")
_TAG = r"<(?:/?[A-Za-z][\w.:-]*(?:\s(?:[^<>\"'{}]|\"[^\"]*\"|'[^']*'|\{[^{}]*\})*)?/?|/?)>"
_TAGS_ONLY = re.compile(rf"^\s*(?:{_TAG}\s*)+$")
_ANCHOR = re.compile(r"""^\s*<a\s+(?:id|name)=["']?[^"'\s>]+["']?\s*(?:/>|>\s*</a>)\s*$""", re.I)
_CAPTION = re.compile(r"""\s(?:title|label|header)=(?:"([^"]+)"|'([^']+)'|\{["']([^"']+)["']\})""")
_TARGET = re.compile(r"""\s(?:href|link|to)=(?:"([^"]+)"|'([^']+)')""")
_CONTENT = re.compile(r"^\s*<(table|ul|ol|dl|pre|p|h[1-6]|blockquote)\b[^>]*>", re.I)
_ITEM = re.compile(r"^ {0,3}(?:[-*+]|\d{1,9}[.)])[ \t]")
MAX_ELEMENT_LINES = 5_000
"""An element of content that is not closed within as many lines is left as it stands."""
_NESTED = 2  # columns: the least that continues a list item
_INDENTED = 4  # columns: from here on Markdown sees code


class Cleaned(NamedTuple):
    """`origins[n]` is the line of the source file, from 1, that `lines[n]` came from."""

    lines: list[str]
    origins: list[int]
    notes: tuple[Note, ...]


def clean(body: str, first_line: int = 1, *, mdx: bool = False) -> Cleaned:
    """Strip what is no content; `first_line` is where `body` starts in its file, from 1."""
    return _Cleaner(body.split("\n"), first_line, mdx).run()


class _Cleaner:
    def __init__(self, lines: Sequence[str], first_line: int, mdx: bool) -> None:
        self._source = lines
        self._first = first_line
        self._mdx = mdx
        self._lines: list[str] = []
        self._origins: list[int] = []
        self._notes: list[Note] = []
        self._depth = 0  # of open wrapper tags
        self._in_list = False

    def run(self) -> Cleaned:
        at = 0
        while at < len(self._source):
            line = self._source[at]
            if "`" in line or "~" in line:
                fence = _FENCE.match(line)
                if fence and not (fence[1][0] == "`" and "`" in fence[2]):
                    at = self._copy_fence(at, fence[1])
                    continue
            at = self._content(at, line)
        return Cleaned(self._lines, self._origins, tuple(self._notes))

    def _content(self, at: int, line: str) -> int:
        """Handle the line at `at`, which is no code; returns the next line to look at."""
        head = line.lstrip()[:1]
        if head and _indent(line) < _INDENTED:
            self._in_list = bool(_ITEM.match(line)) or (self._in_list and _indent(line) >= _NESTED)
        if head == "<" and self._is_markup(line):
            return self._element(at, line)
        if head == "{":
            return self._braces(at, line)
        if head == ":" and (admonition := _ADMONITION.match(line)):
            caption = admonition[1].strip()
            self._put(at, *(("", f"**{caption}**", "") if caption else ("",)))
            return at + 1
        if self._mdx and _MDX_MODULE.match(line):
            return self._skip_until(at, lambda text: not text.strip())
        self._put(at, line)
        return at + 1

    def _put(self, at: int, *lines: str) -> None:
        self._lines.extend(lines)
        self._origins.extend([self._first + at] * len(lines))

    def _is_markup(self, line: str) -> bool:
        """False for indented code that happens to be HTML."""
        return _indent(line) < _INDENTED or self._in_list or self._mdx or self._depth > 0

    def _copy_fence(self, at: int, mark: str) -> int:
        closing = re.compile(rf"^[ \t]*(?:>[ \t]?)*{re.escape(mark[0])}{{{len(mark)},}}[ \t]*$")
        end = at + 1
        while end < len(self._source) and not closing.match(self._source[end]):
            end += 1
        if end == len(self._source):
            note = Note(
                "code fence is never closed", f"add a line {mark} after the code", self._first + at
            )
            self._notes.append(note)
        for number in range(at, min(end + 1, len(self._source))):
            self._put(number, self._source[number])
        return end + 1

    def _skip_until(self, at: int, is_end: Callable[[str], bool]) -> int:
        """Drop lines up to and including the first that ends it, or up to the end of the page."""
        end = at
        while end < len(self._source) and not is_end(self._source[end]):
            end += 1
        self._put(at, "")
        return end + 1

    def _braces(self, at: int, line: str) -> int:
        """Liquid, kramdown attributes, MDX comments."""
        if highlight := _HIGHLIGHT.match(line):
            return self._highlight(at, highlight[1])
        if _LIQUID_COMMENT.match(line):
            return self._skip_until(at, lambda text: "endcomment" in text)
        if _LIQUID_OPEN.match(line):
            return self._skip_until(at, lambda text: "%}" in text)
        if _MDX_COMMENT.match(line):
            return self._skip_until(at, lambda text: "*/}" in text)
        if identifier := _HEADING_ID.match(line):
            self._name_heading(identifier[1])
        dropped = _LIQUID.match(line) or _ATTRIBUTES.match(line)
        self._put(at, "" if dropped else line)
        return at + 1

    def _name_heading(self, identifier: str) -> None:
        """kramdown writes `{: #id}` on the line below the heading."""
        if self._lines and _ATX.match(self._lines[-1]):
            self._lines[-1] = f"{self._lines[-1]} {{#{identifier}}}"

    def _highlight(self, at: int, language: str) -> int:
        end = at + 1
        while end < len(self._source) and "endhighlight" not in self._source[end]:
            end += 1
        self._put(at, f"```{language}")
        for number in range(at + 1, min(end, len(self._source))):
            self._put(number, self._source[number])
        self._put(min(end, len(self._source) - 1), "```")
        return end + 1

    def _element(self, at: int, line: str) -> int:
        """An HTML comment, an element of content, or a line of wrapper tags."""
        if line.lstrip().startswith("<!--"):
            return self._comment(at)
        if _ANCHOR.match(line):
            self._put(at, "", line.strip(), "")
            return at + 1
        content = _CONTENT.match(line)
        if content and not self._mdx and (end := self._close_of(at, content[1].lower())):
            html = "\n".join(self._source[at:end])
            margin = " " * _indent(line) if self._in_list else ""
            self._put(at, "", *(margin + text for text in markdown_of(html).split("\n")), "")
            return end
        if not _TAGS_ONLY.match(line):
            self._put(at, line)
            return at + 1
        self._depth = max(0, self._depth + _opened(line))
        self._put(at, *_caption(line))
        return at + 1

    def _comment(self, at: int) -> int:
        end = at
        while end < len(self._source) and "-->" not in self._source[end]:
            end += 1
        if end == len(self._source):  # never closed: the browser hides the rest, we do not
            self._put(at, self._source[at])
            return at + 1
        self._put(at, self._source[end].split("-->", 1)[1].strip())
        return end + 1

    def _close_of(self, at: int, tag: str) -> int | None:
        """The line after the one that closes `tag`; None where it is not closed."""
        opening = re.compile(rf"<{tag}\b", re.I)
        closing = re.compile(rf"</{tag}\s*>", re.I)
        depth = 0
        for number in range(at, min(at + MAX_ELEMENT_LINES, len(self._source))):
            line = self._source[number]
            if tag in {"p", *_HEADINGS} and not line.strip():
                return None
            depth += len(opening.findall(line)) - len(closing.findall(line))
            if depth <= 0:
                return number + 1
        return None


_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")


def _indent(line: str) -> int:
    """Columns of white space before the text."""
    wide = line.expandtabs(_INDENTED)
    return len(wide) - len(wide.lstrip())


def _opened(line: str) -> int:
    """How many wrapper tags a line opens more than it closes."""
    return sum(
        -1 if tag.startswith("</") else 0 if tag.endswith("/>") else 1
        for tag in re.findall(_TAG, line)
    )


def _caption(line: str) -> Iterator[str]:
    """A tab or card is told apart by its caption: it stays, as text or as a link."""
    yield ""
    if caption := _CAPTION.search(line):
        text = next(group for group in caption.groups() if group)
        target = _TARGET.search(line)
        yield f"[{text}]({target[1] or target[2]})" if target else f"**{text}**"
        yield ""
