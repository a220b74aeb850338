"""The only code that runs a tool: it demands approvals that cover exactly this call.

claim -> approvals, digest, versions -> target unchanged? -> call -> outcome -> journal

What a try that may or may not have happened allows is the tool's effect class: K and N are sent
again, R is read back first, O never again. A result that comes under an old fence is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from pydantic import JsonValue

from tools.approvals import FLOW, effective_tier, objection
from tools.breaker import BreakerPolicy, Breakers
from tools.calling import called
from tools.gate import STOPPED, Gate, OpenGate, StoppedError
from tools.journal import (
    Action,
    Claim,
    Ending,
    FencedOutError,
    IllegalMoveError,
    Journal,
    JournalUnavailableError,
    State,
)
from tools.leases import Lease
from tools.retrying import Backoff, Patience
from tools.tool import (
    BusyError,
    Catalogue,
    DriftError,
    NotSentError,
    PartialError,
    PostponedError,
    RejectedError,
    Tool,
    ToolError,
    UncertainError,
)
from tools.types import Attempt, Done, EffectClass, Progress
from tools.undoing import three_ways

STEP_LOOK_S = 5.0
"""How soon a flow that ended looks again at a step that has not."""
_WRITE = Backoff(0.05, 1.0)


@dataclass(frozen=True, slots=True)
class Later:
    """Not now: claim it again in `seconds`."""

    seconds: float
    reason: str
    detail: str
    doubt: bool


@dataclass(slots=True)
class _Job:
    """A claim being worked on. `doubt`: an earlier try may have had its effect."""

    claim: Claim
    tool: Tool
    doubt: bool
    tries: int = 0
    drifted: bool = False
    before: Mapping[str, JsonValue] | None = None  # the target's state when it was looked at last

    @property
    def action(self) -> Action:
        return self.claim.action

    @property
    def attempt(self) -> Attempt:
        action = self.action
        number = max(action.attempt, 1) + max(self.tries - 1, 0)
        return Attempt(
            action_id=action.id,
            number=number,
            fence=action.fence,
            etag=action.etag,
            resumed=self.doubt,
            before=self.before,
        )


@dataclass(frozen=True, slots=True)
class ExecutorParts:
    """`policy_version` is the one in force; `report` hears of progress and must not block."""

    journal: Journal
    catalogue: Catalogue
    policy_version: str
    now: Callable[[], datetime]
    rng: Random
    patience: Patience = field(default_factory=Patience)
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    report: Callable[[Progress], None] = lambda _progress: None
    gate: Gate = field(default_factory=OpenGate)


class Executor:
    """Runs claims. Monotonic time is the event loop's."""

    def __init__(self, parts: ExecutorParts) -> None:
        self._parts = parts
        self._journal = parts.journal
        self.breakers = Breakers(parts.breaker, parts.rng)

    @property
    def lease_s(self) -> float:
        return self._parts.patience.lease_s

    async def run(self, claim: Claim, since: float | None = None) -> Action:
        """Do it and write down what came of it: ended, or STARTED when it goes on later.

        `since` is the event loop's time from before the claim was asked for. Raises FencedOutError
        when the lease was lost on the way: somebody else goes on.
        """
        return await Lease(self._journal, claim, since).hold(self._work(claim))

    async def read_back(self, action: Action) -> Ending | None:
        """What became of an UNKNOWN action; None when it cannot be told now."""
        tool = self._parts.catalogue.tool(action.call.tool, action.call.version)
        if tool is None:
            return None
        claim = Claim(action, (), "", self.lease_s, resumed=True)
        ending = await self._conclude(_Job(claim, tool, doubt=True), "no_effect", "")
        return None if ending.state is State.UNKNOWN else ending

    async def _work(self, claim: Claim) -> Action:
        self._tell(claim.action, "started")
        outcome = await self._outcome(claim)
        action = await self._write(claim, outcome)
        self._tell(action, action.state.value, outcome)
        return action

    async def _write(self, claim: Claim, outcome: Ending | Later) -> Action:
        """Tried until it stands or the lease is lost: the outcome is known only here."""
        tries = 0
        while True:
            try:
                match outcome:
                    case Later(seconds, reason, detail, doubt):
                        return await self._journal.postpone(
                            claim, seconds, reason, detail, doubt=doubt
                        )
                    case Ending():
                        return await self._journal.settle(claim, outcome)
            except FencedOutError:
                raise
            except IllegalMoveError:  # a step of this flow is still under way
                outcome = Later(STEP_LOOK_S, "step_under_way", "", doubt=True)
            except JournalUnavailableError:
                tries += 1
                await asyncio.sleep(_WRITE.pause(tries, self._parts.rng))

    # --- may it, and does it need to ------------------------------------------------------------

    async def _outcome(self, claim: Claim) -> Ending | Later:
        action = claim.action
        tool = self._parts.catalogue.tool(action.call.tool, action.call.version)
        if tool is None:  # nobody is left who could look whether it happened
            state = State.UNKNOWN if claim.resumed else State.FAILED
            return Ending(state, reason="tool_changed")
        job = _Job(claim, tool, doubt=claim.resumed and not tool.manifest.reads_only)
        reason = await self._objection(job) or await self._stopped(job)
        if reason:
            return await self._conclude(job, reason, "")
        if job.doubt and tool.manifest.effect is EffectClass.ONCE:
            return Ending(State.UNKNOWN, reason="interrupted")
        return await self._tries(job)

    async def _objection(self, job: _Job) -> str:
        """Why it may not be sent, or sent again; empty when it may."""
        action = job.action
        current = self._parts.catalogue.tool(action.call.tool)
        if current is None or current.manifest.version != action.call.version:
            return "tool_changed"
        if action.policy_version != self._parts.policy_version:
            return "policy_changed"
        reason = objection(action, job.claim.approvals)
        if reason:
            return reason
        if any(approval.channel == FLOW for approval in job.claim.approvals):
            return await self._flow_objection(action)
        same_tier = effective_tier(current.manifest, action.call.arguments) == action.tier
        return "" if same_tier else "policy_changed"

    async def _stopped(self, job: _Job) -> str:
        try:
            await self._parts.gate.check(job.action.who.tenant, job.tool.manifest)
        except StoppedError:
            return STOPPED
        return ""

    async def _flow_objection(self, action: Action) -> str:
        """A step is covered by its flow while that is under way and rightly approved itself; what
        takes a step back may be of a higher tier than the step, such as a deletion."""
        if action.parent is None:
            return "not_approved"
        flow = await self._journal.action(action.who.tenant, action.parent)
        above = action.undoes is None and action.tier > flow.tier
        if flow.state is not State.STARTED or flow.who != action.who or above:
            return "not_approved"
        return objection(flow, await self._journal.approvals(flow.who.tenant, flow.id))

    # --- the tries of one claim -----------------------------------------------------------------

    async def _tries(self, job: _Job) -> Ending | Later:
        patience = self._parts.patience
        while True:
            job.tries += 1
            result = await self._guarded(job)
            ending = await self._final(job, result)
            if ending is not None:
                return ending
            pause = self._pause(job, result)
            if job.tries >= patience.tries or pause > patience.held_s:
                return await self._later(job, result, pause)
            self._tell(job.action, "retrying", Later(pause, _code(result), "", job.doubt))
            await asyncio.sleep(pause)

    async def _final(self, job: _Job, result: Done | ToolError) -> Ending | Later | None:
        match result:
            case Done():
                ending: Ending | Later | None = Ending(State.SUCCEEDED, done=result)
            case PartialError():
                ending = Ending(State.FAILED, result.done, result.code, result.detail)
            case PostponedError():
                seconds = (result.until - await self._journal.now()).total_seconds()
                ending = Later(max(seconds, 0.0), result.code, result.detail, doubt=True)
            case RejectedError():
                ending = await self._conclude(job, result.code, result.detail)
            case UncertainError():
                ending = self._doubted(job, result)
            case _:
                ending = None
        return ending

    def _doubted(self, job: _Job, failure: UncertainError) -> Ending | None:
        job.doubt = not job.tool.manifest.reads_only
        if job.doubt and job.tool.manifest.effect is EffectClass.ONCE:
            return Ending(State.UNKNOWN, None, failure.code, failure.detail)
        return None

    def _pause(self, job: _Job, result: Done | ToolError) -> float:
        pause = self._parts.patience.quick.pause(job.tries, self._parts.rng)
        asked = result.retry_after_s if isinstance(result, BusyError) else None
        return max(pause, asked or 0.0)

    async def _later(self, job: _Job, result: Done | ToolError, pause: float) -> Ending | Later:
        """Scheduled while the card's limit lasts; concluded after it."""
        action, code = job.action, _code(result)
        detail = result.detail if isinstance(result, ToolError) else ""
        scheduled = self._parts.patience.scheduled
        pause = max(pause, scheduled.at_least_half(max(action.attempt, 1), self._parts.rng))
        limit = timedelta(seconds=job.tool.manifest.retry_for_s)
        since = action.started or action.created
        if limit and await self._journal.now() + timedelta(seconds=pause) <= since + limit:
            return Later(pause, code, detail, job.doubt)
        return await self._conclude(job, code, detail)

    # --- one try --------------------------------------------------------------------------------

    async def _guarded(self, job: _Job) -> Done | ToolError:
        """One try behind the target's breaker."""
        loop = asyncio.get_running_loop()
        breaker = self.breakers.of(job.tool.manifest.target)
        wait_s = breaker.wait_s(loop.time())
        if wait_s:
            return BusyError("circuit_open", "", wait_s)
        try:
            result = await self._once(job)
        except ToolError as failure:
            if isinstance(failure, NotSentError | UncertainError) and _silent(failure):
                breaker.failed(loop.time())
            else:
                breaker.answered()
            return failure
        breaker.answered()
        return result

    async def _once(self, job: _Job) -> Done:
        """Raises ToolError only."""
        manifest = job.tool.manifest
        if job.doubt and manifest.effect is EffectClass.READ_BACK:
            done = await self._looked_back(job)
            if done is not None:
                return done
            job.doubt = False
        if not (job.doubt or (job.claim.resumed and manifest.source == "flow")):
            await self._same_target(job)
        try:
            run = job.tool.run(job.action.call, job.action.who, job.attempt)
            return await called(run, manifest.timeout_s)
        except DriftError:
            job.drifted = True
            raise

    async def _same_target(self, job: _Job) -> None:
        """Raises DriftError when the target is not what was approved. A look has no effect, so
        whatever else goes wrong in it counts as not sent."""
        action, manifest = job.action, job.tool.manifest
        if manifest.reads_only or (action.undoes is not None and action.etag is None):
            return
        try:
            target = await called(job.tool.look(action.call, action.who), manifest.timeout_s)
        except UncertainError as failure:
            raise NotSentError("target_unreadable", str(failure)) from failure
        except RejectedError:
            job.drifted = True
            raise
        if target.etag != action.etag:
            job.drifted = True
            detail = await three_ways(self._journal, action, target)
            raise DriftError("target_changed", detail)
        job.before = target.state

    # --- what is not known ----------------------------------------------------------------------

    async def _looked_back(self, job: _Job) -> Done | None:
        """What an earlier try did. Nothing found counts after a quiet while only: its request may
        have been on its way when its process died."""
        done = await self._read(job)
        if done is None and job.tool.manifest.source != "flow":
            await asyncio.sleep(min(self._parts.patience.quiet_s, job.tool.manifest.timeout_s))
            done = await self._read(job)
        return done

    async def _read(self, job: _Job) -> Done | None:
        read_back = job.tool.read_back(job.action.call, job.action.who, job.attempt)
        return await called(read_back, job.tool.manifest.timeout_s)

    async def _conclude(self, job: _Job, reason: str, detail: str) -> Ending:
        """It is not sent (again): FAILED when surely nothing happened, else what can be read back.

        A target that drifted to where the call would have brought it was changed by the user: done.
        """
        if not (job.doubt or job.drifted):
            return Ending(State.FAILED, reason=reason, detail=detail)
        try:
            done = await (self._looked_back(job) if job.doubt else self._read(job))
        except ToolError as failure:
            if job.doubt:
                return Ending(State.UNKNOWN, None, failure.code, failure.detail)
            done = None
        if done is None:
            return Ending(State.FAILED, reason=reason, detail=detail)
        return Ending(State.SUCCEEDED, replace(done, already=done.already or not job.doubt))

    def _tell(self, action: Action, state: str, outcome: Ending | Later | None = None) -> None:
        now = self._parts.now()
        next_try = None
        if isinstance(outcome, Later):
            next_try = now + timedelta(seconds=outcome.seconds)
        self._parts.report(
            Progress(
                action_id=action.id,
                at=now,
                state=state,
                detail=outcome.reason if outcome is not None else "",
                next_try=next_try,
            )
        )


def _code(result: Done | ToolError) -> str:
    return result.code if isinstance(result, ToolError) else ""


def _silent(failure: ToolError) -> bool:
    """A target that asks to wait works; one that says nothing may not."""
    return not isinstance(failure, BusyError)
