"""What the HTTP surface needs to act, and what stands there where nothing can be acted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from api.errors import NotHereError
from api.identity import Identify
from tools.acting import Desk
from tools.journal import Journal
from tools.receipts.keys import KeyRing
from tools.tool import Catalogue


class _Nothing:
    """Whatever is asked of it, there is nothing."""

    def __getattr__(self, name: str) -> Any:
        raise NotHereError("acting_off", "nothing can be acted on here: no tools are configured")


_NOTHING: Any = _Nothing()


@dataclass(frozen=True, slots=True)
class Acts:
    """`identify` tells who signs in; without it nobody can. The journal is only read."""

    identify: Identify | None = None
    desk: Desk = _NOTHING
    journal: Journal = _NOTHING
    catalogue: Catalogue = _NOTHING
    ring: KeyRing = _NOTHING
