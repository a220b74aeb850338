"""The export format: one JSON object a line, `{"receipt":"JWS"}` or `{"checkpoint":"NOTE"}`.

Receipts of a tenant stand in the order of `seq`, from 1; a checkpoint stands after the last receipt
that it counts. Both kinds of line have one form only, so they are cut rather than parsed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

from .result import Failed, Flaw

LONGEST = 65_536
"""Bytes of a line; a receipt has about a thousand. Longer ones are read in pieces, none of which
has the form of a line."""
_RECEIPT, _END = b'{"receipt":"', b'"}\n'
_CHECKPOINT = b'{"checkpoint":"'


def write(kind: str, content: str) -> str:
    return json.dumps({kind: content}, ensure_ascii=False, separators=(",", ":")) + "\n"


def read(file: BinaryIO) -> Iterator[bytes]:
    """Lines with their ends; the last one gets its own where a copy lost it."""
    for line in iter(partial(file.readline, LONGEST), b""):
        yield line if line.endswith(b"\n") or len(line) == LONGEST else line + b"\n"


def receipt(line: bytes) -> bytes | None:
    """The JWS of a line with a receipt."""
    if line.startswith(_RECEIPT) and line.endswith(_END):
        return line[len(_RECEIPT) : -len(_END)]
    return None


def checkpoint(line: bytes) -> str:
    """The note of a line that is no receipt. Raises Flaw."""
    try:
        text = line.decode()
        note = json.loads(text)["checkpoint"] if line.startswith(_CHECKPOINT) else None
        written = isinstance(note, str) and write("checkpoint", note) == text
    except (ValueError, RecursionError):
        written, note = False, None
    if not written:
        raise Flaw(Failed.NOT_CANONICAL, "the line is neither a receipt nor a checkpoint")
    return str(note)
