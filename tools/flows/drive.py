"""One pass over the steps of a flow, forward or back: what it needs to know is in the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import JsonValue

from tools.canonical import new_id, sha256
from tools.flows.definition import Find, FlowDefinition, Reading, Rule, Step, Wait
from tools.flows.values import Known, at, fill, holds
from tools.journal import Action, Approval, Journal, NewAction, State
from tools.retrying import Backoff
from tools.tool import (
    BusyError,
    Catalogue,
    ForbiddenError,
    NotSentError,
    PostponedError,
    RejectedError,
    Tool,
    ToolError,
    UncertainError,
)
from tools.types import Attempt, Principal, Progress, Target, ToolCall

Perform = Callable[[str, str, float], Awaitable[Action]]
"""Tenant, action id, seconds to wait: do it, or wait for whoever does. As `Desk.perform`."""
STEP_EXPIRES_S = 900.0
"""A step starts within this of being proposed, as any action of its tier."""
READ_AGAIN = Backoff(0.1, 5.0)
READ_HELD_S = 1.0
"""A reading that got no answer is asked again; a longer pause than this lets go of the worker."""
UNKNOWN_LOOK_S = 5.0
"""How often a flow looks whether an unknown step was resolved."""


@dataclass(frozen=True, slots=True)
class FlowParts:
    """What flows run on. `inline_s`: how long a wait holds its worker before it is rescheduled."""

    journal: Journal
    catalogue: Callable[[], Catalogue]
    perform: Perform
    clock: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    report: Callable[[Progress], None] = lambda _progress: None
    inline_s: float = 15.0
    step_wait_s: float = 60.0


class StepFailedError(Exception):
    """A step ended without its effect, and no rule lets the flow go on."""

    def __init__(self, step: str, code: str, detail: str) -> None:
        super().__init__(f"{step}: {code}")
        self.step = step
        self.code = code
        self.detail = detail


def step_key(flow_action: str, step: str, number: int = 1) -> str:
    """The idempotency key of the n-th try of a step."""
    return sha256(f"flow\0{flow_action}\0{step}\0{number}".encode())


class Drive:
    """One pass over a flow's steps. `approved_by` is the action whose approvals cover the steps:
    the flow itself, or the undo of it."""

    def __init__(
        self,
        flow: FlowDefinition,
        parts: FlowParts,
        who: Principal,
        flow_action: str,
        approved_by: str | None = None,
    ) -> None:
        self.flow_action = flow_action
        self._flow = flow
        self._parts = parts
        self._who = who
        self._approved_by = approved_by or flow_action

    async def forward(self, known: Known) -> None:
        """Every step in order, results into `known`. Raises StepFailedError, or PostponedError to
        go on later."""
        for number, step in enumerate(self._flow.steps):
            self._report(step, number)
            if holds(step.when, known):
                await self._step(step, known)
        self._report(None, len(self._flow.steps))

    async def _step(self, step: Step, known: Known) -> None:
        number = 1
        while True:
            try:
                known.results[step.id] = await self._once(step, known, number)
            except StepFailedError as failed:
                rule = step.rule(failed.code)
                if rule is None or rule.then == "fail":
                    raise _told(failed, rule) from failed
                if rule.then == "continue":
                    return
                number = await self._again(step, rule, number, failed)
            else:
                return

    async def _again(self, step: Step, rule: Rule, number: int, failed: StepFailedError) -> int:
        """The number of the next try, now or at a later run of the flow."""
        if number >= rule.tries:
            raise _told(failed, rule)
        if await self._known(step_key(self.flow_action, step.id, number + 1)) is None:
            if rule.after_s > self._parts.inline_s:
                await self._propose_retry(step, number + 1)
                until = self._parts.clock() + timedelta(seconds=rule.after_s)
                raise PostponedError(failed.code, rule.say or failed.detail, until)
            await self._parts.sleep(rule.after_s)
        return number + 1

    async def _propose_retry(self, step: Step, number: int) -> None:
        """Marks that the wait has begun: the next run goes on instead of waiting anew."""
        last = await self._known(step_key(self.flow_action, step.id, number - 1))
        if last is None:
            raise RuntimeError(f"step {step.id} failed without an action: the engine is wrong")
        await self._propose(step.id, number, last.call, etag=None)

    async def _once(self, step: Step, known: Known, number: int) -> JsonValue:
        action = await self._known(step_key(self.flow_action, step.id, number))
        if action is None:
            done = await self._already(step, known)
            if done is not None:
                return done
            call = self._call(step, known)
            tool = self._tool(step.do)
            target = await _looked(tool, call, self._who, step.id)
            action = await self._propose(step.id, number, call, target.etag)
        result = await self._outcome(step, await self._performed(action))
        if step.wait is None:
            return result
        known.results[step.id] = result
        return await self._waited(step, step.wait, known, action.created)

    async def _already(self, step: Step, known: Known) -> JsonValue:
        if step.done_read is None:
            return None
        seen = await read(self._parts, step.done_read, known, self._who)
        done = holds(step.done_if, Known(known.arguments, {**known.results, step.id: seen}))
        return seen if done else None

    async def _outcome(self, step: Step, action: Action) -> JsonValue:
        match action.state:
            case State.SUCCEEDED:
                return dict(action.result)
            case State.FAILED | State.REFUSED:
                raise StepFailedError(step.id, action.reason or "failed", action.detail)
            case State.UNKNOWN:  # surfaced as its own; the flow goes on once it is resolved
                later = self._parts.clock() + timedelta(seconds=UNKNOWN_LOOK_S)
                raise PostponedError("step_unknown", step.title, later)
            case State.STARTED if action.lease_until is not None:
                raise PostponedError(action.reason or "later", action.detail, action.lease_until)
            case State.COMPENSATING | State.COMPENSATED | State.STUCK:
                raise StepFailedError(step.id, "taken_back", "the step was taken back meanwhile")
            case _:
                later = self._parts.clock() + timedelta(seconds=1)
                raise PostponedError("step_waits", step.title, later)

    async def _waited(self, step: Step, wait: Wait, known: Known, since: datetime) -> JsonValue:
        begun = self._parts.clock()
        while True:
            seen = await read(self._parts, wait, known, self._who)
            look = Known(known.arguments, {**known.results, step.id: seen})
            if wait.fails is not None and holds(wait.fails, look):
                code, detail = at(seen, wait.code), at(seen, wait.detail)
                raise StepFailedError(step.id, _word(code, "failed"), _word(detail, ""))
            if holds(wait.until, look):
                return seen
            now = self._parts.clock()
            if (now - since).total_seconds() > wait.for_s:
                raise StepFailedError(step.id, "timed_out", f"{step.title}: no end in sight")
            if (now - begun).total_seconds() >= self._parts.inline_s:
                again = now + timedelta(seconds=wait.every_s)
                raise PostponedError("waiting", step.title, again)
            await self._parts.sleep(wait.every_s)

    # --- taking back ---------------------------------------------------------------------------

    async def done_steps(self) -> list[tuple[Step, Action]]:
        """Steps with an effect that can be undone and is still there, in order."""
        found = []
        for step in self._flow.steps:
            if step.keep:
                continue
            number = 1
            while action := await self._known(step_key(self.flow_action, step.id, number)):
                number += 1
                undone = action.state in {State.SUCCEEDED, State.FAILED, State.COMPENSATING}
                if undone and action.undo is not None:
                    found.append((step, action))
        return found

    async def backward(self) -> tuple[str, ...]:
        """Undo in reverse order, each once; the titles of steps that could not be undone.

        Stops at the first: what stands below it may be needed to repair it.
        """
        for step, action in reversed(await self.done_steps()):
            undone = await self._performed(await self._propose_undo(step, action))
            match undone.state:
                case State.SUCCEEDED:
                    continue
                case State.STARTED if undone.lease_until is not None:
                    raise PostponedError(undone.reason or "later", step.title, undone.lease_until)
                case State.UNKNOWN:
                    later = self._parts.clock() + timedelta(seconds=UNKNOWN_LOOK_S)
                    raise PostponedError("step_unknown", f"taking back {step.title}", later)
                case _:
                    return (f"{step.title}: {undone.reason}",)
        return ()

    async def _propose_undo(self, step: Step, action: Action) -> Action:
        if action.undo is None:
            raise RuntimeError(f"{action.id} has no undo: the engine is wrong")
        key = step_key(self.flow_action, f"undo:{action.id}")
        return await self._stored(
            NewAction(
                id=new_id(),
                idem_key=key,
                who=self._who,
                call=action.undo,
                tier=self._tool(action.undo.tool).manifest.tier,
                policy_version=action.policy_version,
                etag=action.undo_etag,
                expires_s=STEP_EXPIRES_S,
                parent=self._approved_by,
                step=f"undo:{step.id}",
                undoes=action.id,
            )
        )

    # --- one action ----------------------------------------------------------------------------

    async def _propose(self, step: str, number: int, call: ToolCall, etag: str | None) -> Action:
        covering = await self._parts.journal.action(self._who.tenant, self._approved_by)
        return await self._stored(
            NewAction(
                id=new_id(),
                idem_key=step_key(self.flow_action, step, number),
                who=self._who,
                call=call,
                tier=self._tool(call.tool).manifest.tier,
                policy_version=covering.policy_version,
                etag=etag,
                expires_s=max(STEP_EXPIRES_S, self._flow.retry_for_s),
                thread_id=covering.thread_id,
                parent=self.flow_action,
                step=step,
            )
        )

    async def _stored(self, new: NewAction) -> Action:
        return await self._parts.journal.propose(new)

    async def _performed(self, action: Action) -> Action:
        if action.state is State.PROPOSED:
            action = await self._covered(action)
        if action.ended:
            return action
        return await self._parts.perform(self._who.tenant, action.id, self._parts.step_wait_s)

    async def _covered(self, action: Action) -> Action:
        """Approved by those who approved the flow, as long as the flow itself is under way.

        What takes a step back may be of a higher tier than the step, such as a deletion.
        """
        journal, tenant = self._parts.journal, self._who.tenant
        covering = await journal.action(tenant, self._approved_by)
        above = action.undoes is None and action.tier > covering.tier
        if covering.state is not State.STARTED or above:
            raise ForbiddenError("not_covered", f"the approval of {covering.id} does not cover it")
        given = await journal.approvals(tenant, covering.id)
        for place, approval in enumerate(given):
            mine = Approval(
                id=new_id(),
                action_id=action.id,
                digest=action.digest,
                approver=approval.approver,
                channel="flow",
                auth_time=approval.auth_time,
                policy_hash=covering.digest,
            )
            action = await journal.approve(action, mine, last=place == len(given) - 1)
        return action

    async def _known(self, key: str) -> Action | None:
        return await self._parts.journal.by_key(self._who.tenant, key)

    def _call(self, step: Step, known: Known) -> ToolCall:
        arguments = filled(step.with_, known)
        return ToolCall(step.do, self._tool(step.do).manifest.version, arguments)

    def _tool(self, name: str) -> Tool:
        tool = self._parts.catalogue().tool(name)
        if tool is None:
            raise ForbiddenError("no_such_tool", f"{self._flow.flow} needs {name}")
        return tool

    def _report(self, step: Step | None, done: int) -> None:
        self._parts.report(
            Progress(
                action_id=self.flow_action,
                at=self._parts.clock(),
                state="running" if step else "done",
                step=step.title if step else "",
                done=done,
                of=len(self._flow.steps),
            )
        )


def may_run(step: Step, known: Known) -> bool:
    """Whether the arguments alone rule the step out; results are not known yet."""
    names_result = "$result" in repr(step.when)
    return names_result or holds(step.when, known)


def _told(failed: StepFailedError, rule: Rule | None) -> StepFailedError:
    said = rule.say if rule and rule.say else failed.detail
    return StepFailedError(failed.step, failed.code, said)


def _word(value: object, otherwise: str) -> str:
    return value if isinstance(value, str) else otherwise


def filled(template: Mapping[str, JsonValue], known: Known) -> dict[str, JsonValue]:
    found = fill(dict(template), known)
    if not isinstance(found, dict):
        raise TypeError("an object was filled to something else")
    return found


async def _looked(tool: Tool, call: ToolCall, who: Principal, step: str) -> Target:
    """A look that fails is the step's failure, unless it may work later."""
    try:
        return await tool.look(call, who)
    except RejectedError as failure:
        raise StepFailedError(step, failure.code, failure.detail) from failure


async def read(parts: FlowParts, reading: Reading, known: Known, who: Principal) -> JsonValue:
    """A reading tool's result, asked directly: it has no effect to keep a journal of.

    A target that cannot be reached now is read again when the flow goes on.
    """
    tool = parts.catalogue().tool(reading.do)
    if tool is None or not tool.manifest.reads_only:
        raise ForbiddenError("no_such_tool", f"{reading.do} is no reading tool")
    call = ToolCall(reading.do, tool.manifest.version, filled(reading.with_, known))
    result = await _asked(parts, tool, call, who)
    return _found(reading.find, result, known) if reading.find else result


async def _asked(parts: FlowParts, tool: Tool, call: ToolCall, who: Principal) -> JsonValue:
    tries = 0
    while True:
        try:
            return dict((await tool.run(call, who, Attempt(new_id(), 1, 0))).result)
        except (NotSentError, UncertainError) as failure:
            tries += 1
            asked_s = failure.retry_after_s if isinstance(failure, BusyError) else None
            wait_s = max(asked_s or 0.0, READ_AGAIN.ceiling(tries))
            if wait_s > READ_HELD_S:
                until = parts.clock() + timedelta(seconds=wait_s)
                raise PostponedError(failure.code, failure.detail, until) from failure
            await parts.sleep(wait_s)
        except ToolError as failure:
            raise StepFailedError(call.tool, failure.code, failure.detail) from failure


def _found(find: Find, result: JsonValue, known: Known) -> JsonValue:
    items = at(result, find.in_)
    wanted = {pointer: fill(value, known) for pointer, value in find.where.items()}
    for item in items if isinstance(items, list) else ():
        if all(at(item, pointer) == value for pointer, value in wanted.items()):
            return item
    return {}
