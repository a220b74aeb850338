"""source -> RawPage -> Page -> Chunk: documentation read, labelled and cut."""

from ingest.chunking import CHUNKER, ChunkPolicy, Piece, chunk_page, content_hash, pieces_of
from ingest.labels import LabelRules, find_rules, load_rules
from ingest.pages import Link, links, load, page_key
from ingest.sources import FolderSource, GitSource, SitemapSource
from ingest.types import (
    Block,
    BlockKind,
    IngestError,
    Page,
    PageError,
    PageLabels,
    RawPage,
    RulesError,
    Severity,
    Source,
    SourceError,
)

__all__ = [
    "CHUNKER",
    "Block",
    "BlockKind",
    "ChunkPolicy",
    "FolderSource",
    "GitSource",
    "IngestError",
    "LabelRules",
    "Link",
    "Page",
    "PageError",
    "PageLabels",
    "Piece",
    "RawPage",
    "RulesError",
    "Severity",
    "SitemapSource",
    "Source",
    "SourceError",
    "chunk_page",
    "content_hash",
    "find_rules",
    "links",
    "load",
    "load_rules",
    "page_key",
    "pieces_of",
]
