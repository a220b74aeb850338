"""Parts of a data set that share no group."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray


def folds_by_group(groups: Sequence[str], folds: int, seed: int) -> NDArray[np.intp]:
    """A fold, from 0, for each row; a group's is a hash of its name, so more rows move nobody."""
    fold = {group: _fold(group, folds, seed) for group in set(groups)}
    return np.array([fold[group] for group in groups], dtype=np.intp)


def _fold(group: str, folds: int, seed: int) -> int:
    return int.from_bytes(sha256(f"{seed}:{group}".encode()).digest()[:8]) % folds
