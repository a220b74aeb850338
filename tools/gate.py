"""Asked before anything is proposed, approved, begun or sent: may this tool be used at all now?"""

from __future__ import annotations

from typing import Protocol

from tools.tool import NotSentError
from tools.types import Manifest

STOPPED = "connector_killed"


class StoppedError(NotSentError):
    """An operator has stopped this connector; nothing was sent."""

    def __init__(self, connector: str) -> None:
        super().__init__(STOPPED, f"{connector} has been stopped by an operator")


class Gate(Protocol):
    async def check(self, tenant: str, manifest: Manifest) -> None:
        """Raises StoppedError, and JournalUnavailableError where it cannot be told."""
        ...


class OpenGate:
    """Where nothing can be stopped."""

    async def check(self, tenant: str, manifest: Manifest) -> None:
        del tenant, manifest
