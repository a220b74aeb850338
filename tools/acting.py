"""The front of this room: what the conversation, the HTTP surface and flows may ask for.

prepare -> card -> decide -> perform -> receipt -> undo
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from tools.journal import Action, Ending
from tools.types import Actor, Arguments, Manifest, ToolCall


class BadCallError(ValueError):
    """Arguments that do not fit the tool. `errors` maps an argument (or `` for the whole) to what
    is wrong with it and how to mend it."""

    def __init__(self, tool: str, errors: Mapping[str, str]) -> None:
        super().__init__(f"{tool}: " + "; ".join(f"{k}: {v}" for k, v in errors.items()))
        self.tool = tool
        self.errors = errors


class NoSuchToolError(LookupError):
    """There is no such tool, or this person may not use it: the two look the same."""


@dataclass(frozen=True, slots=True)
class Request:
    """A call that somebody wants done. `key` makes asking twice the same action.

    `origins` says for inferred arguments where they were taken from; the card shows it.
    """

    call: ToolCall
    actor: Actor
    key: str
    thread_id: str | None = None
    origins: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's word on one card. `digest` is of the card that they saw."""

    action_id: str
    digest: str
    verdict: Literal["approve", "deny"]
    approver: Actor
    channel: str = "user"
    reason: str = ""
    always: bool = False  # stand for later calls of this tool too; tier R1 only


class Desk(Protocol):
    """Raises JournalError and ToolError beside what is named."""

    def offered(self, actor: Actor) -> tuple[Manifest, ...]:
        """The tools that this person may use, and no others."""
        ...

    async def prepare(self, request: Request) -> Action:
        """Validate, look at the target, render the card, store: PENDING, or APPROVED where no
        person is needed. Raises NoSuchToolError, BadCallError."""
        ...

    async def decide(self, tenant: str, decision: Decision) -> Action:
        """APPROVED, REFUSED, or still PENDING when another person is needed. Looks at the target
        again: a change voids the card. Raises ApprovalError."""
        ...

    async def edit(self, tenant: str, action_id: str, arguments: Arguments, actor: Actor) -> Action:
        """A new action with these arguments; the old one is refused as `edited`."""
        ...

    async def cancel(self, tenant: str, action_id: str, actor: Actor) -> Action: ...

    async def perform(self, tenant: str, action_id: str, wait_s: float) -> Action:
        """Do an approved action, or wait for whoever does it, until it ended or `wait_s` passed."""
        ...

    async def undo(self, tenant: str, action_id: str, actor: Actor) -> Action:
        """The pending action that takes it back. Raises IllegalMoveError when there is none."""
        ...

    async def resolve(self, tenant: str, action_id: str, ending: Ending, actor: Actor) -> Action:
        """A person says what became of an UNKNOWN action."""
        ...

    async def cards(self, actor: Actor) -> tuple[Action, ...]:
        """Pending actions that this person asked for or may decide, oldest first."""
        ...

    async def action(self, actor: Actor, action_id: str) -> Action:
        """One that this person asked for or may decide. Raises UnknownActionError."""
        ...
