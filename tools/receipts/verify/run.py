"""One file verified: quickly where everything holds, else completely and with names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import lines, notes
from .diagnosis import Diagnosis
from .journal import Journal
from .quick import Doubt, Quick
from .reading import Reader, load_keys
from .result import Depth, Flaw, InputError, Report


@dataclass(frozen=True, slots=True)
class Outside:
    """What a file is held against that was kept elsewhere."""

    checkpoints: tuple[str, ...] = ()  # notes
    journal: Journal | None = None


def verify_file(
    path: Path, jwks: str, outside: Outside | None = None, depth: Depth = Depth.MERKLE
) -> Report:
    """Constant memory where everything holds at MERKLE depth, else some 300 bytes a receipt.

    Raises InputError when the file or the keys cannot be read.
    """
    keys = load_keys(jwks)
    outside = outside or Outside()
    parts = (Reader(keys), {key.kid: key.raw for key in keys.values()}, outside.journal)
    try:
        if depth is Depth.MERKLE:
            quick = Quick(*parts)
            for note in outside.checkpoints:
                quick.expect(notes.read(note, parts[1]))
            with path.open("rb") as file:
                return quick.report(lines.read(file))
    except (Doubt, Flaw):
        pass
    except OSError as failure:
        raise InputError(f"{path}: {failure.strerror}") from failure
    return _diagnose(path, Diagnosis(*parts), outside, depth)


def _diagnose(path: Path, diagnosis: Diagnosis, outside: Outside, depth: Depth) -> Report:
    for note in outside.checkpoints:
        diagnosis.expect(note)
    try:
        with path.open("rb") as file:
            return diagnosis.report(lines.read(file), depth)
    except OSError as failure:
        raise InputError(f"{path}: {failure.strerror}") from failure
