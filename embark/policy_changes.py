"""settings -> a row of the audit log for each change of what the copilot may do."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from embark.records import Books
from embark.settings import Settings
from guardrails.audit import Note, Wanted, What

SERVER = "embark"
"""Who found the change: whoever made it did so in a file."""


async def note_policy(settings: Settings, books: Books) -> bool:
    """Whether policy and flow files are others than at the start before. Raises
    StoreUnavailableError."""
    digest = f"sha256:{_digest(settings)}"
    last = await books.audit.page(settings.tenant, Wanted(what=What.POLICY_CHANGE), limit=1)
    if last and last[0].note.request_id == digest:
        return False
    note = Note(settings.tenant, SERVER, What.POLICY_CHANGE, None, "embark serve", digest)
    await books.audit.write(note)
    return True


def _digest(settings: Settings) -> str:
    hashed = sha256()
    for file in _files(settings):
        content = file.read_bytes()
        hashed.update(f"{file.name} {len(content)}\n".encode() + content)
    return hashed.hexdigest()


def _files(settings: Settings) -> Iterator[Path]:
    chosen = settings.actions
    if chosen.tools is not None:
        yield chosen.tools
    if chosen.flows is not None:
        yield from sorted(file for file in chosen.flows.rglob("*") if file.is_file())
