"""settings -> the master key: what every other key is derived from or wrapped by."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from embark.layers import ConfigurationError
from embark.settings import Settings

KEY_BYTES = 32


def master_key(settings: Settings) -> bytes:
    """Wraps the keys of subjects and makes the tags of the index: a file beside the data, never in
    it, made at the first use.

    Raises ConfigurationError when others may read it, or it is no key.
    """
    file = keys_folder(settings) / "vault.key"
    if not file.exists():
        _make(file)
    if file.stat().st_mode & 0o077:
        raise ConfigurationError([f"{file}: others may read it; chmod 600 {file}"])
    key = file.read_bytes()
    if len(key) != KEY_BYTES:
        raise ConfigurationError(
            [f"{file}: {len(key)} bytes are no key; put back the {KEY_BYTES} that it held"]
        )
    return key


def _make(file: Path) -> None:
    """Whole at once: of several processes that begin together, all find the key of the first."""
    fresh = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(secrets.token_bytes(KEY_BYTES))
        stream.flush()
        os.fsync(stream.fileno())
    try:
        os.link(fresh, file)
    except FileExistsError:
        return
    finally:
        fresh.unlink()


def keys_folder(settings: Settings) -> Path:
    """For the owner alone."""
    folder = settings.data_dir / "keys"
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
