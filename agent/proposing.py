"""A complete wish -> a proposal in the journal, or why there is none, in words for the user.

Tokens stay tokens here: the desk puts the values back, once, when it writes the proposal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import structlog

from agent.acting import Wish
from agent.deps import Acting
from tools.acting import BadCallError, NoSuchToolError, Request
from tools.journal import Action, IllegalMoveError, JournalError
from tools.tool import ForbiddenError, RejectedError, ToolError
from tools.types import Actor, ToolCall
from tools.vault import KeyDestroyedError

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Hitch:
    """Why nothing was proposed: the key of a reply and its values. `ask` is the argument whose
    value did not fit: the wish goes on with it."""

    reply: str
    values: Mapping[str, str] = field(default_factory=dict)
    ask: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a conversation something is proposed; the same place is the same action."""

    thread_id: str
    message_id: str

    def key(self, ordinal: int) -> str:
        parts = "\0".join((self.thread_id, self.message_id, str(ordinal)))
        return hashlib.sha256(parts.encode()).hexdigest()


async def propose(acting: Acting, actor: Actor, place: Place, wish: Wish) -> Action | Hitch:
    """The proposed action: pending, approved by policy, or refused with its reason."""

    async def prepared() -> Action:
        tool = acting.catalogue.tool(wish.tool)
        if tool is None:
            raise NoSuchToolError(wish.tool)
        arguments = {name: slot.value for name, slot in wish.slots.items()}
        call = ToolCall(wish.tool, tool.manifest.version, arguments)
        origins = {name: slot.origin for name, slot in wish.slots.items() if slot.origin}
        request = Request(call, actor, place.key(0), place.thread_id, origins)
        return await acting.desk.prepare(request)

    return await unless_hitch(prepared)


async def unless_hitch(
    work: Callable[[], Awaitable[Action]], *, illegal: bool = False
) -> Action | Hitch:
    """What the desk gives, or what keeps it from giving it. Anything else is a bug and raised,
    and with `illegal` IllegalMoveError too."""
    try:
        return await work()
    except BadCallError as error:
        return Hitch(
            "act_bad_call",
            {"problems": "; ".join(error.errors.values())},
            next(iter(error.errors), None) or None,
        )
    except NoSuchToolError:
        return Hitch("act_cannot", {"nearest": ""})
    except KeyDestroyedError:
        return Hitch("act_lost_values")
    except IllegalMoveError:
        if illegal:
            raise
        return Hitch("act_moved_on")
    except (ToolError, JournalError) as error:
        _log.warning("act.hitch", error=type(error).__name__)
        return _out_of_hand(error)


def _out_of_hand(error: ToolError | JournalError) -> Hitch:
    if isinstance(error, ForbiddenError | RejectedError):
        return Hitch("act_target_refuses", {"reason": in_words(error.code)})
    if isinstance(error, ToolError):
        return Hitch("act_target_away", {"reason": in_words(error.code)})
    return Hitch("act_journal_away")


def in_words(code: str) -> str:
    """A stable code as a reader sees it."""
    return code.replace("_", " ") or "no reason given"
