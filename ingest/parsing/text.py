"""Plain text -> document: headings, lists and paragraphs where the text has them."""

from __future__ import annotations

from ingest.parsing.blocks import read_blocks
from ingest.parsing.decoding import decode
from ingest.types import Document, RawPage


def read_text(raw: RawPage) -> Document:
    """Runbooks in plain text mostly follow Markdown's own conventions, so they are read as such."""
    lines = decode(raw.data).split("\n")
    return Document(blocks=read_blocks(lines, range(1, len(lines) + 1)))
