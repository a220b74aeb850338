"""page -> sections -> pieces -> chunks.

A section is what stands between two headings; a piece is a stretch of one section that fits the
policy; a chunk is a piece with its identity, labels and hash. Text stays the page's own lines,
but for what is repeated so that a piece can be read alone: the header of a table, the fence of a
code block.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile
from typing import NamedTuple

from guardrails import Redacted, Redactor, stored
from ingest.atoms import Atom, atoms_of
from ingest.types import Block, BlockKind, Page
from retrieval.types import Chunk, ChunkId

CHUNKER = "1"
"""Changes whenever the same page would be cut differently: part of the index fingerprint."""


@dataclass(frozen=True, slots=True)
class ChunkPolicy:
    """Sizes in characters. 1,000 characters of English are about 220 word pieces, so that a chunk
    with its title and headings fits the 256 that MiniLM reads."""

    max_chars: int = 1000
    """No chunk is longer, but for a single table row or word."""
    min_chars: int = 200
    """Smaller leftovers are evened out; small sibling sections are joined up to this size."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_chars < self.max_chars:
            raise ValueError(
                f"min_chars {self.min_chars} must be from 0 to below max_chars {self.max_chars}"
            )


class Piece(NamedTuple):
    """A chunk to be. `parted`: a table or code block was too long and continues in another piece,
    with its header or fence repeated."""

    heading_path: tuple[str, ...]
    anchor: str | None
    text: str
    parted: bool


class _Section(NamedTuple):
    path: tuple[str, ...]  # headings, page title not included
    level: int  # 0 above the first heading
    anchor: str | None
    blocks: list[Block]


def chunk_page(
    page: Page, *, tenant: str, source: str, redactor: Redactor, policy: ChunkPolicy | None = None
) -> list[Chunk]:
    """Chunks of a page in order. Text, title and headings have passed `redactor`.

    Raises ValueError when `tenant` is blank.
    """
    if not tenant.strip():
        raise ValueError(
            f"page {page.path} has no tenant: name the tenant whose documentation it is"
        )
    pieces = pieces_of(page, policy or ChunkPolicy())
    clean = _redact_lines(redactor, [page.title, *(h for p in pieces for h in p.heading_path)])
    labels = page.labels.of(tenant)
    chunks: list[Chunk] = []
    for ordinal, piece in enumerate(pieces):
        title, path = clean[page.title], tuple(clean[heading] for heading in piece.heading_path)
        text = redactor.redact_document(piece.text).text
        chunks.append(
            Chunk(
                id=ChunkId(f"{page.doc_id}#{ordinal}"),
                doc_id=page.doc_id,
                path=page.path,
                source=source,
                title=title,
                heading_path=path,
                anchor=piece.anchor,
                ordinal=ordinal,
                text=text,
                labels=labels,
                doc_version=page.doc_version,
                content_hash=content_hash(title, path, text),
                url=page.url,
            )
        )
    return chunks


def content_hash(title: str, heading_path: Sequence[str], text: str) -> str:
    """BLAKE2b, 128 bits, hexadecimal, of all that vectors depend on; labels are not among it."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (title, *heading_path, text):
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(encoded))
        digest.update(encoded)
    return digest.hexdigest()


def pieces_of(page: Page, policy: ChunkPolicy) -> list[Piece]:
    """The page cut by its structure, before redaction."""
    pieces: list[Piece] = []
    for section in _joined(_sections(page), policy.min_chars):
        atoms = list(atoms_of(section.blocks, policy.max_chars, section.anchor))
        for run in _packed(atoms, policy):
            parted = any(atom.parted for atom in run)
            pieces.append(Piece(section.path, run[0].anchor, _text(run), parted))
    return pieces


def _sections(page: Page) -> Iterator[_Section]:
    """One section a heading that has text below it."""
    stack: list[Block] = []
    section = _Section((), 0, None, [])
    titled = False
    for block in page.blocks:
        if block.kind is not BlockKind.HEADING:
            section.blocks.append(block)
            continue
        if section.blocks:
            yield section
        stack = [above for above in stack if above.level < block.level]
        if not titled and block.level == 1 and block.text.casefold() == page.title.casefold():
            titled = True
        else:
            stack.append(block)
        path = tuple(above.text for above in stack)
        section = _Section(path, block.level, block.anchor, [])
    if section.blocks:
        yield section


def _joined(sections: Iterator[_Section], min_chars: int) -> Iterator[_Section]:
    """Sibling leaves that are small even together become one: `Owner / Admin / Member`."""
    for _, family in groupby(sections, key=lambda s: (s.level, s.path[:-1])):
        small: _Section | None = None
        for section in family:
            if small and section.path and _size(small) + _size(section) < min_chars:
                names = f"{small.path[-1]} / {section.path[-1]}"
                blocks = [*small.blocks, *section.blocks]
                small = _Section((*small.path[:-1], names), small.level, small.anchor, blocks)
                continue
            if small:
                yield small
            small = section
        if small:
            yield small


def _size(section: _Section) -> int:
    return sum(len(block.text) for block in section.blocks)


def _packed(atoms: Sequence[Atom], policy: ChunkPolicy) -> Iterator[Sequence[Atom]]:
    """Greedy runs of atoms up to the maximum; a small last run takes atoms from the one before."""
    runs: list[list[Atom]] = []
    for unit in _units(atoms, policy.max_chars):
        if runs and _length([*runs[-1], *unit]) <= policy.max_chars:
            runs[-1].extend(unit)
        else:
            runs.append(list(unit))
    if len(runs) > 1:
        _even_out(runs[-2], runs[-1], policy)
    return iter(runs)


def _units(atoms: Sequence[Atom], max_chars: int) -> Iterator[list[Atom]]:
    """Atoms that must stand together: a lead-in line and what it leads to, where both fit."""
    unit: list[Atom] = []
    for atom in atoms:
        if unit and not (unit[-1].leads and _length([*unit, atom]) <= max_chars):
            yield unit
            unit = []
        unit.append(atom)
    if unit:
        yield unit


def _length(atoms: Sequence[Atom]) -> int:
    """Characters of the atoms joined: nothing stands before the first."""
    return sum(atom.length for atom in atoms) - len(atoms[0].separator)


def _even_out(before: list[Atom], last: list[Atom], policy: ChunkPolicy) -> None:
    while _length(last) < policy.min_chars and len(before) > 1:
        moved = before[-1]
        too_long = _length([moved, *last]) > policy.max_chars
        if too_long or before[-2].leads or _length(before[:-1]) < _length(last):
            return
        last.insert(0, before.pop())


def _text(run: Sequence[Atom]) -> str:
    """The atoms joined; the rest of a cut list item is dedented, or it would read as code."""
    rest = list(takewhile(lambda atom: atom.inside, run))
    lines = [line for atom in rest for line in atom.text.split("\n") if line.strip()]
    indent = min((len(line) - len(line.lstrip(" ")) for line in lines), default=0)
    parts: list[str] = []
    for number, atom in enumerate(run):
        text = atom.text
        if indent and number < len(rest):
            text = "\n".join(line[indent:] for line in text.split("\n"))
        parts.append(atom.separator + text if number else text)
    return "".join(parts).rstrip()


def _redact_lines(redactor: Redactor, lines: Sequence[str]) -> dict[str, Redacted]:
    """Each distinct line redacted; in one call, unless a mask spans lines."""
    distinct = list(dict.fromkeys(lines))
    together = redactor.redact_document("\n".join(distinct)).text.split("\n")
    if len(together) != len(distinct):
        return {line: redactor.redact_document(line).text for line in distinct}
    return dict(zip(distinct, map(stored, together), strict=True))
