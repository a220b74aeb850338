"""Markdown and MDX -> document; chunk text stays the source's own lines."""

from __future__ import annotations

from ingest.frontmatter import split_front_matter
from ingest.parsing.blocks import read_blocks
from ingest.parsing.cleaning import clean
from ingest.parsing.decoding import decode
from ingest.types import Document, RawPage


def read_markdown(raw: RawPage) -> Document:
    """CommonMark with tables, front matter, and what static site generators add."""
    return _read(raw, mdx=False)


def read_mdx(raw: RawPage) -> Document:
    """Markdown with components: imports and component tags are left out, captions kept."""
    return _read(raw, mdx=True)


def _read(raw: RawPage, *, mdx: bool) -> Document:
    front = split_front_matter(decode(raw.data))
    cleaned = clean(front.body, front.body_line, mdx=mdx)
    return Document(
        blocks=read_blocks(cleaned.lines, cleaned.origins, mdx=mdx),
        meta=front.values,
        meta_lines=front.lines,
        notes=cleaned.notes,
    )
