"""What the host's backend may tell us, and what is done then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from tools.webhooks import Secrets, SeenMessages

Deed = Callable[[str], Awaitable[None]]
"""Does what was told, of this subject or page. When it raises, the message may come again."""


@dataclass(frozen=True, slots=True)
class HostHooks:
    """`secrets` are those of the host's backend alone."""

    secrets: Secrets
    seen: SeenMessages
    clock: Callable[[], datetime]
    user_deleted: Deed
    access_revoked: Deed
    document_revoked: Deed
