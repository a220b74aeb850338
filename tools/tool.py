"""The seam to whatever can be done: one protocol for Python functions, OpenAPI and MCP.

ToolError
├── NotSentError        surely no effect: nothing left, or the target could not be reached
│   └── BusyError       the target asks to wait; `retry_after_s` when it says how long
├── RejectedError       surely no effect: the target refuses, and would again; `code`, `detail`
│   ├── DriftError      the target changed since it was looked at
│   └── ForbiddenError  the user lacks the right in the host product
├── PartialError        a listed part of the effect happened, the rest surely not
├── UncertainError      nobody knows whether the effect happened
└── PostponedError      not an error: goes on at `until`, without anything held meanwhile
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol, runtime_checkable

from tools.types import Attempt, Done, Manifest, OpenItem, Principal, Target, ToolCall


class ToolError(Exception):
    """Base; `code` is stable, `detail` is UNTRUSTED text of the target, for people."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class NotSentError(ToolError):
    pass


class BusyError(NotSentError):
    def __init__(self, code: str, detail: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(code, detail)
        self.retry_after_s = retry_after_s


class RejectedError(ToolError):
    pass


class DriftError(RejectedError):
    pass


class ForbiddenError(RejectedError):
    pass


class PartialError(ToolError):
    """`done` says what happened; its undo undoes just that."""

    def __init__(self, code: str, detail: str, done: Done) -> None:
        super().__init__(code, detail)
        self.done = done


class UncertainError(ToolError):
    pass


class PostponedError(ToolError):
    def __init__(self, code: str, detail: str, until: datetime) -> None:
        super().__init__(code, detail)
        self.until = until


class Tool(Protocol):
    """Something that can be done with a user's own rights. Every method raises ToolError only."""

    @property
    def manifest(self) -> Manifest: ...

    async def look(self, call: ToolCall, who: Principal) -> Target:
        """The present state of what the call would change. Reads only; may be repeated."""
        ...

    async def run(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done:
        """Do it once. Any other exception counts as UncertainError."""
        ...

    async def read_back(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done | None:
        """Whether an earlier try had its effect: what it was, or None when surely not.

        Raises UncertainError when it cannot be told.
        """
        ...


@runtime_checkable
class Reminding(Protocol):
    """What a tool may have beside: it leaves work open that somebody should hear of again."""

    @property
    def reminders(self) -> tuple[OpenItem, ...]:
        """Whatever of its work may be left, the riskiest first."""
        ...

    async def still_open(self, call: ToolCall, who: Principal) -> tuple[OpenItem, ...]:
        """Those of them that are open as the target is now. Reads only; raises ToolError."""
        ...


@runtime_checkable
class Completing(Protocol):
    """What a tool may have beside: arguments that follow from others are put in before the card."""

    async def complete(self, call: ToolCall, who: Principal) -> ToolCall:
        """The call as the card shows it. Reads only; raises ToolError, BadCallError."""
        ...


class Credentials(Protocol):
    """The acting user's own credential for a target, as HTTP headers.

    Raises ForbiddenError(`not_signed_in`) when there is none any more.
    """

    async def headers(self, who: Principal, target: str) -> Mapping[str, str]: ...


class Catalogue(Protocol):
    """The tools that exist. Unknown names do not: None, and nothing may be claimed of them."""

    def tool(self, name: str, version: str | None = None) -> Tool | None: ...

    def manifests(self) -> tuple[Manifest, ...]: ...
