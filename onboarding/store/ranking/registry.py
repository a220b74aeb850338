"""Versions as folders: written whole or not at all, checked by hash whenever they are read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from guardrails.refs import code
from onboarding.ranking import ModelFileError, checked

KEPT: Final = 5
"""Versions of a slot that stay, beside the one that serves (design reference, 8)."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """`root/SLOT/VERSION/FILE`. A root a tenant: its models are its own."""

    root: Path

    def save(self, slot: str, files: Mapping[str, bytes]) -> str:
        """The version's name. Raises ModelFileError for files that are not sealed, FileExistsError
        for a name that is taken."""
        name = code("version", str(checked(files)["name"])).replace("/", "_")
        place = self._slot(slot) / name
        if place.exists():
            raise FileExistsError(f"{slot} has a version {name} already")
        self._slot(slot).mkdir(mode=0o700, parents=True, exist_ok=True)
        waiting = Path(mkdtemp(prefix=".", dir=self._slot(slot)))
        for file, content in files.items():
            with (waiting / file).open("wb") as written:
                written.write(content)
                os.fsync(written.fileno())
        waiting.rename(place)
        return name

    def load(self, slot: str, version: str) -> dict[str, bytes]:
        """Every file, checked. Raises ModelFileError."""
        place = self._slot(slot) / code("version", version)
        if not place.is_dir() or place.parent != self._slot(slot):
            raise ModelFileError(f"there is no version {version}")
        files = {file.name: file.read_bytes() for file in sorted(place.iterdir())}
        checked(files)
        return files

    def versions(self, slot: str) -> tuple[str, ...]:
        """Oldest first."""
        if not self._slot(slot).is_dir():
            return ()
        there = [each for each in self._slot(slot).iterdir() if not each.name.startswith(".")]
        return tuple(each.name for each in sorted(there, key=lambda e: (e.stat().st_mtime, e.name)))

    def about(self, slot: str, version: str) -> dict[str, Any]:
        """Its manifest. Raises ModelFileError."""
        return checked(self.load(slot, version))

    def prune(self, slot: str, serving: Collection[str]) -> tuple[str, ...]:
        """Removes all but the last five and what serves or may be rolled back to; what went."""
        gone = [each for each in self.versions(slot)[:-KEPT] if each not in serving]
        for version in gone:
            shutil.rmtree(self._slot(slot) / version)
        return tuple(gone)

    def _slot(self, slot: str) -> Path:
        return self.root / code("slot", slot)
