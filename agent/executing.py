"""An approved action is performed by the desk, while its progress is read from the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from agent.action_types import Progressed
from agent.deps import Acting
from agent.reporting import postponed
from agent.types import RunEvent
from tools.journal import ENDED, Action, JournalError, State
from tools.tool import ToolError

LOOK_S = 0.25
"""How often progress is read: people see four steps a second as motion enough."""
_log = structlog.get_logger(__name__)
_GOING = frozenset({State.APPROVED, State.STARTED})


async def carry_out(acting: Acting, action: Action, emit: Callable[[RunEvent], None]) -> Action:
    """The action as it stands when it ended, was put off, or the patience is over; an action that
    needs nothing done comes back as it is. It goes on without us. Raises JournalError."""
    if action.state not in _GOING:
        return action
    tenant = action.who.tenant
    work = asyncio.create_task(acting.desk.perform(tenant, action.id, acting.patience_s))
    last: Progressed | None = None
    try:
        while not work.done():
            await asyncio.wait({work}, timeout=LOOK_S)
            progress = await _progress(acting, tenant, action.id)
            quick = last is None and work.done() and not progress.next_try
            if progress != last and not quick:
                emit(progress)
                last = progress
            if progress.next_try:
                break
    finally:
        work.cancel()  # ends the waiting, not the action
    await asyncio.wait({work})
    failure = None if work.cancelled() else work.exception()
    if isinstance(failure, ToolError | JournalError):  # the journal knows more
        _log.warning("act.interrupted", action=action.id, error=type(failure).__name__)
    elif failure is not None:
        raise failure
    return await acting.journal.action(tenant, action.id)


async def _progress(acting: Acting, tenant: str, action_id: str) -> Progressed:
    action = await acting.journal.action(tenant, action_id)
    steps = await acting.journal.actions(tenant, parent=action_id)
    current = next((step for step in steps if step.state not in ENDED), None)
    retry = action.lease_until if postponed(action) else None
    return Progressed(
        action_id=action_id,
        state=action.state.value,
        step=current.step if current is not None else "",
        done=sum(step.state is State.SUCCEEDED for step in steps),
        of=len(steps),
        next_try=retry.isoformat() if retry is not None else "",
    )
