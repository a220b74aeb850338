"""Documentation Markdown -> safe HTML, with a quote marked where it stands.

Raw HTML is shown as text, images as their description, and links only where they lead to http,
https, mailto or another page of ours. The quote is found in the Markdown source and carried
through parsing by two private-use characters, so that `<mark>` only ever wraps runs of text and
the HTML nests properly even when the quote spans list items or table cells.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from posixpath import join, normpath
from urllib.parse import quote as url_quote
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

_OPEN, _CLOSE = "\ue000", "\ue001"
_SIGNS = re.compile(f"([{_OPEN}{_CLOSE}])")
_BLOCK_MARKER = re.compile(r"(?:\s*(?:[-*+]|\d+[.)]|>|#{1,6}|\|)[ \t]+|\|)*")
_EXTERNAL = frozenset({"http", "https", "mailto"})


_parser = MarkdownIt("commonmark", {"html": False}).enable("table")


def to_html(text: str, path: str, quote: str | None = None) -> str:
    """HTML of one passage of the page at `path`. A quote that does not stand in it is ignored."""
    source = _SIGNS.sub("", text)
    if quote:
        source = _with_signs(source, quote)
    env: dict[str, object] = {}
    tokens = _parser.parse(source, env)
    _Marking(path).rewrite(tokens)
    return str(_parser.renderer.render(tokens, _parser.options, env))


def holds(text: str, quote: str | None) -> bool:
    """Whether the quote stands verbatim in the text."""
    return bool(quote) and str(quote) in text


def _with_signs(source: str, quote: str) -> str:
    start = source.find(quote)
    if start < 0:
        return source
    marker = _BLOCK_MARKER.match(quote) if source[:start].endswith(("\n", "")) else None
    skip = marker.end() if marker and marker.end() < len(quote) else 0
    end = start + len(quote.rstrip())
    return source[: start + skip] + _OPEN + source[start + skip : end] + _CLOSE + source[end:]


class _Marking:
    """Turns the tokens of one passage into prepared HTML; `marking` is true inside the quote."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._marking = False

    def rewrite(self, tokens: Sequence[Token]) -> None:
        """In place. `html_inline` and `html_block` are tokens whose content is HTML already."""
        for token in tokens:
            match token.type:
                case "inline":
                    self.rewrite(token.children or ())
                case "text":
                    _become(token, "html_inline", self._text(token.content))
                case "code_inline":
                    _become(token, "html_inline", f"<code>{self._text(token.content)}</code>")
                case "image":
                    alt = f'<span class="image">{self._text(token.content)}</span>'
                    _become(token, "html_inline", alt)
                case "fence" | "code_block":
                    code = f'<pre tabindex="0"><code>{self._text(token.content)}</code></pre>\n'
                    _become(token, "html_block", code)
                case "link_open":
                    self._link(token)

    def _text(self, content: str) -> str:
        pieces: list[str] = []
        for piece in _SIGNS.split(content):
            if piece in {_OPEN, _CLOSE}:
                self._marking = piece == _OPEN
            elif piece:
                shown = escape(piece)
                pieces.append(f"<mark>{shown}</mark>" if self._marking else shown)
        return "".join(pieces)

    def _link(self, token: Token) -> None:
        target = _target(str(token.attrGet("href") or ""), self._path)
        token.attrs = {"href": target, "rel": "noopener noreferrer"} if target else {}


def _become(token: Token, kind: str, html: str) -> None:
    token.type, token.content = kind, html


def _target(href: str, path: str) -> str | None:
    """Where a link may lead; None where it may not."""
    parts = urlsplit(href)
    if parts.scheme:
        return href if parts.scheme.lower() in _EXTERNAL else None
    if parts.netloc:
        return None
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    if not parts.path:
        return fragment or None
    page = normpath(join("/", path.rpartition("/")[0], parts.path)).lstrip("/")
    return f"/pages/{url_quote(page)}{fragment}"
