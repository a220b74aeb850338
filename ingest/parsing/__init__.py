"""page bytes -> the reader of its suffix -> Document: one format a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from ingest.parsing.asciidoc import read_asciidoc
from ingest.parsing.html import read_html
from ingest.parsing.markdown import read_markdown, read_mdx
from ingest.parsing.pdf import read_pdf
from ingest.parsing.rst import read_rst
from ingest.parsing.text import read_text
from ingest.types import Document, PageFault, RawPage

Reader = Callable[[RawPage], Document]
"""Raises PageFault when the page cannot be read; anything else is a bug."""

READERS: Mapping[str, Reader] = {
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".mdx": read_mdx,
    ".html": read_html,
    ".htm": read_html,
    ".xhtml": read_html,
    ".rst": read_rst,
    ".rest": read_rst,
    ".adoc": read_asciidoc,
    ".asciidoc": read_asciidoc,
    ".asc": read_asciidoc,
    ".pdf": read_pdf,
    ".txt": read_text,
    ".text": read_text,
}
SUFFIXES = frozenset(READERS)
"""Every suffix that can be read, in lower case, with its dot."""

MAX_BYTES = 8_000_000
"""Largest text page; a larger file is data, not documentation."""
MAX_PDF_BYTES = 64_000_000


def read_document(raw: RawPage) -> Document:
    """Read a page by its suffix. Raises PageFault."""
    suffix = PurePosixPath(raw.path).suffix.lower()
    reader = READERS.get(suffix)
    if reader is None:
        known = ", ".join(sorted(SUFFIXES))
        raise PageFault(f"no reader for {suffix or 'a file without suffix'!r}", f"known: {known}")
    limit = MAX_PDF_BYTES if suffix == ".pdf" else MAX_BYTES
    if len(raw.data) > limit:
        message = f"the page has {len(raw.data):,} bytes, more than {limit:,}"
        raise PageFault(message, "split it, or exclude it")
    return reader(raw)


__all__ = ["MAX_BYTES", "MAX_PDF_BYTES", "READERS", "SUFFIXES", "Reader", "read_document"]
