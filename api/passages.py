"""What a citation opens on: the stored passage as data, and the whole page with the quote marked.

Only what the viewer may see is shown, by the same clauses that every search is held to; a passage
that is hidden and one that does not exist look the same.
"""

from __future__ import annotations

from html import escape
from itertools import groupby
from pathlib import PurePosixPath
from typing import Annotated, NamedTuple
from urllib.parse import quote as url_quote

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from api.context import Context
from api.errors import NotHereError
from api.markdown import holds, to_html
from api.schemas import PassageBody
from retrieval.filters import visible
from retrieval.library import Library
from retrieval.types import Chunk, ChunkId, Scope

Quote = Annotated[str | None, Query(max_length=4000, description="Verbatim text to mark")]


class Found(NamedTuple):
    """Chunks with the index version that they come from."""

    version: str
    chunks: tuple[Chunk, ...]


def router(context: Context) -> APIRouter:
    """`/v1/passages/{chunk_id}` and `/pages/{path}`."""
    routes = APIRouter(tags=["sources"])
    library, viewer = context.library, context.site.viewer

    @routes.get("/v1/passages/{chunk_id:path}", summary="The passage behind a citation")
    async def passage(chunk_id: str) -> PassageBody:
        found = await run_sync(_passage, library, viewer, ChunkId(chunk_id))
        if not found.chunks:
            raise NotHereError("no_such_passage", "the documentation no longer has this passage")
        return _body(found.chunks[0], found.version)

    @routes.get("/pages/{path:path}", summary="A page", response_class=HTMLResponse)
    async def page(path: str, quote: Quote = None) -> HTMLResponse:
        found = await run_sync(_page, library, viewer, path)
        if not found.chunks:
            raise NotHereError("no_such_page", "the documentation has no page at this address")
        return HTMLResponse(page_html(found.chunks, quote), headers={"cache-control": "no-cache"})

    return routes


def _passage(library: Library, viewer: Scope, chunk_id: ChunkId) -> Found:
    with library.lease() as snapshot:
        chunks = snapshot.chunks.get(viewer.tenant, [chunk_id]).values()
        return Found(snapshot.version, tuple(visible(chunks, viewer)))


def _page(library: Library, viewer: Scope, path: str) -> Found:
    doc_id = str(PurePosixPath(path).with_suffix("")) if PurePosixPath(path).name else path
    with library.lease() as snapshot:
        pages = (snapshot.chunks.page(viewer.tenant, name) for name in (doc_id, path))
        chunks = next((chunks for chunks in pages if chunks), ())
        return Found(snapshot.version, tuple(visible(chunks, viewer)))


def _body(chunk: Chunk, version: str) -> PassageBody:
    anchor = f"#{chunk.anchor}" if chunk.anchor else ""
    return PassageBody(
        chunk_id=chunk.id,
        title=chunk.title,
        heading_path=chunk.heading_path,
        anchor=chunk.anchor,
        url=chunk.url or f"/pages/{url_quote(chunk.path)}{anchor}",
        text=chunk.text,
        doc_version=chunk.doc_version,
        index_version=version,
    )


def page_html(chunks: tuple[Chunk, ...], quote: str | None) -> str:
    """One page from its chunks, in order; the first passage that holds the quote shows it."""
    quoted = next((chunk.id for chunk in chunks if holds(chunk.text, quote)), None)
    first = chunks[0]
    sections = "".join(
        _section(list(of_heading), quoted, quote)
        for _, of_heading in groupby(chunks, key=lambda chunk: (chunk.heading_path, chunk.anchor))
    )
    version = f"{escape(first.path)}, version {escape(first.doc_version)}"
    return _PAGE.format(title=escape(first.title), version=version, sections=sections)


def _section(chunks: list[Chunk], quoted: ChunkId | None, quote: str | None) -> str:
    first = chunks[0]
    level = min(len(first.heading_path) + 1, 6)
    anchor = f' id="{escape(first.anchor)}"' if first.anchor else ""
    heading = escape(first.heading_path[-1]) if first.heading_path else ""
    title = f"<h{level}>{heading}</h{level}>" if heading else ""
    text = "".join(
        to_html(chunk.text, chunk.path, quote if chunk.id == quoted else None) for chunk in chunks
    )
    return f"<section{anchor}>{title}{text}</section>\n"


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="/static/chat/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/page.css">
<script type="module" src="/static/page.js"></script>
</head>
<body>
<a class="skip" href="#content">Skip to the text</a>
<header><a href="/">Back to the conversation</a></header>
<main id="content" dir="auto">
<h1>{title}</h1>
<p class="version">{version}</p>
{sections}</main>
</body>
</html>
"""
