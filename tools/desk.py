"""The desk: where a call becomes a card, a card an approved action, and an action is performed.

prepare: validate -> look -> card -> journal        decide: person -> versions -> look -> approval
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import structlog

from tools.acting import BadCallError, Decision, NoSuchToolError, Request
from tools.approvals import (
    POLICY,
    RULES,
    Approvers,
    digest_now,
    effective_tier,
    equal_digests,
    judge,
    may_decide,
)
from tools.calling import called
from tools.canonical import new_id, sha256
from tools.executor import Executor
from tools.gate import Gate, OpenGate
from tools.held import HeldValues, UnknownTokenError
from tools.journal import (
    Action,
    Approval,
    ApprovalCode,
    ApprovalError,
    Ending,
    FencedOutError,
    IllegalMoveError,
    Journal,
    JournalError,
    NewAction,
    State,
    UnknownActionError,
)
from tools.preview import render
from tools.tool import Catalogue, Completing, ForbiddenError, RejectedError, Tool
from tools.types import Actor, Arguments, Card, Manifest, Principal, Target, Tier, ToolCall
from tools.validation import validate

_log = structlog.get_logger(__name__)
WATCH_S = 0.1
"""How often an action that somebody else performs is looked at."""
MOST_CARDS = 500
"""Pending actions of a tenant that are looked through for those of one person."""
_UNDOABLE = frozenset({State.SUCCEEDED, State.FAILED})
_PERFORMED = frozenset({State.APPROVED, State.STARTED})


def no_ceiling(_request: Request) -> Tier:
    return Tier.R4


@dataclass(frozen=True, slots=True)
class DeskParts:
    """`worker` names the slot under which this process claims. `ceiling` is the highest tier for
    which inferred values and standing consent still count in the request's conversation; it falls
    once untrusted text has entered it. `held` puts back what the user typed and no model saw."""

    journal: Journal
    catalogue: Catalogue
    executor: Executor
    policy_version: str
    worker: str
    held: HeldValues | None = None
    ceiling: Callable[[Request], Tier] = no_ceiling
    gate: Gate = field(default_factory=OpenGate)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A call that was checked and looked at, not yet written down."""

    new: NewAction
    manifest: Manifest
    card: Card
    by_policy: bool


class ActionDesk:
    """The Desk over a journal, a catalogue and an executor."""

    def __init__(self, parts: DeskParts) -> None:
        self._parts = parts
        self._journal = parts.journal
        self._policy_hash = sha256(parts.policy_version.encode())
        self._running: dict[str, asyncio.Task[bool]] = {}

    def offered(self, actor: Actor) -> tuple[Manifest, ...]:
        return tuple(
            manifest for manifest in self._parts.catalogue.manifests() if _for(manifest, actor)
        )

    # --- from a call to a card ------------------------------------------------------------------

    async def prepare(self, request: Request) -> Action:
        tenant = request.actor.tenant
        known = await self._journal.by_key(tenant, request.key)
        if known is not None and known.who != request.actor.principal:
            raise IllegalMoveError("the key of this request belongs to somebody else's action")
        if known is not None and known.state is not State.PROPOSED:
            return known
        return await self._file(await self._draft(request))

    async def _draft(self, request: Request) -> _Draft:
        tool = self._offered_tool(request)
        await self._parts.gate.check(request.actor.tenant, tool.manifest)
        request = await self._restored(request)
        validate(tool.manifest, request.call.arguments)
        manifest, call = tool.manifest, await _completed(tool, request)
        tier = effective_tier(manifest, call.arguments)
        _under_ceiling(request, tier, self._parts.ceiling(request))
        who = request.actor.principal
        target = Target() if manifest.reads_only else await _looked(tool, call, who)
        new = NewAction(
            id=new_id(),
            idem_key=request.key,
            who=who,
            call=call,
            tier=tier,
            policy_version=self._parts.policy_version,
            etag=target.etag,
            expires_s=RULES[tier].expires_s,
            thread_id=request.thread_id,
        )
        card = render(manifest, call.arguments, target, who, tier, request.origins or {})
        return _Draft(new, manifest, card, await self._by_policy(request, tier))

    def _offered_tool(self, request: Request) -> Tool:
        tool = self._parts.catalogue.tool(request.call.tool)
        if tool is None or not _for(tool.manifest, request.actor):
            raise NoSuchToolError(f"there is no tool {request.call.tool!r} for you")
        current = tool.manifest.version
        if request.call.version != current:
            raise BadCallError(
                request.call.tool,
                {"": f"version {request.call.version!r} is gone; plan it again with {current!r}"},
            )
        return tool

    async def _restored(self, request: Request) -> Request:
        held = self._parts.held
        if held is None or request.thread_id is None:
            return request
        who, call = request.actor.principal, request.call
        try:
            arguments = await held.restore(
                who.tenant, who.subject, request.thread_id, call.arguments
            )
        except UnknownTokenError as unknown:
            raise BadCallError(call.tool, {"": f"{unknown}; type the value again"}) from unknown
        return replace(request, call=replace(call, arguments=arguments))

    async def _by_policy(self, request: Request, tier: Tier) -> bool:
        """Whether no person is asked: reads, and R1 tools that this one always allows."""
        rule, who = RULES[tier], request.actor.principal
        if rule.approvers is Approvers.POLICY:
            return True
        if not rule.standing or tier > self._parts.ceiling(request):
            return False
        return request.call.tool in await self._journal.consents(who.tenant, who.subject)

    async def _file(self, draft: _Draft) -> Action:
        """Written down; a proposal whose card was never stored is taken up again."""
        action = await self._journal.propose(draft.new)
        if action.state is not State.PROPOSED:
            return action
        if action.id != draft.new.id and action.etag != draft.new.etag:
            await self._refused(action, "target_changed", POLICY)
            raise IllegalMoveError("the target changed while it was proposed; ask again")
        if not draft.by_policy:
            return await self._journal.present(action, draft.card)
        return await self._journal.approve(
            action, self._approval(action, POLICY, POLICY), last=True
        )

    def _approval(self, action: Action, approver: str, channel: str) -> Approval:
        return Approval(
            id=new_id(),
            action_id=action.id,
            digest=action.digest,
            approver=approver,
            channel=channel,
            auth_time=None,
            policy_hash=self._policy_hash,
        )

    # --- a person's word ------------------------------------------------------------------------

    async def decide(self, tenant: str, decision: Decision) -> Action:
        action = await self._journal.action(tenant, decision.action_id)
        tool = await self._current(action, decision.approver)
        _still_open(action)
        _same_card(action, decision)
        if decision.verdict == "deny":
            return await self._refused(action, "denied", decision.approver.subject, decision.reason)
        earlier = await self._journal.approvals(tenant, action.id)
        now = await self._journal.now()
        last = judge(action, tool.manifest, decision.approver, earlier, now)
        await self._unchanged(action, tool)
        approval = replace(
            self._approval(action, decision.approver.subject, decision.channel),
            auth_time=decision.approver.auth_time,
        )
        approved = await self._journal.approve(action, approval, last=last)
        if decision.always and RULES[action.tier].standing:
            subject = decision.approver.subject
            await self._journal.consent(tenant, subject, action.call.tool, given=True)
        return approved

    async def _current(self, action: Action, person: Actor) -> Tool:
        """The action's tool as it is now. A version bump voids the card."""
        tool = self._parts.catalogue.tool(action.call.tool)
        if tool is None:
            raise await self._void(action, "tool_changed", "the tool does not exist any more")
        if not may_decide(action, tool.manifest, person):
            raise ApprovalError("wrong_person", "this is not for you to decide")
        return tool

    async def _unchanged(self, action: Action, tool: Tool) -> None:
        """Tool, policy and target are those of the card. Raises ApprovalError, the card void;
        StoppedError leaves it as it is."""
        await self._parts.gate.check(action.who.tenant, tool.manifest)
        if tool.manifest.version != action.call.version:
            raise await self._void(action, "tool_changed", "the tool was changed; ask again")
        tier = effective_tier(tool.manifest, action.call.arguments)
        if action.policy_version != self._parts.policy_version or tier != action.tier:
            raise await self._void(action, "policy_changed", "the rules were changed; ask again")
        if action.undoes is not None:
            return  # the executor looks, and stops with a diff for a person
        try:
            etag = (await _looked(tool, action.call, action.who)).etag
        except ForbiddenError:
            raise
        except RejectedError as gone:
            raise await self._void(action, "target_changed", gone.detail or gone.code) from gone
        if etag != action.etag:
            raise await self._void(action, "target_changed", "it was changed meanwhile; ask again")

    async def _void(self, action: Action, code: ApprovalCode, detail: str) -> ApprovalError:
        await self._refused(action, code, POLICY)
        return ApprovalError(code, detail)

    async def _refused(self, action: Action, reason: str, by: str, detail: str = "") -> Action:
        return await self._journal.refuse(action, reason, by, detail)

    async def edit(self, tenant: str, action_id: str, arguments: Arguments, actor: Actor) -> Action:
        old = await self._decidable(tenant, action_id, actor)
        _still_open(old)
        if dict(arguments) == dict(old.call.arguments):
            return old
        call = ToolCall(old.call.tool, self._version(old.call.tool), arguments)
        draft = await self._draft(
            Request(
                call=call,
                actor=replace(actor, principal=old.who),
                key=sha256(f"edit\0{old.id}\0{new_id()}".encode()),
                thread_id=old.thread_id,
            )
        )
        await self._refused(old, "edited", actor.subject)
        return await self._file(draft)

    def _version(self, name: str) -> str:
        tool = self._parts.catalogue.tool(name)
        return tool.manifest.version if tool is not None else ""

    async def cancel(self, tenant: str, action_id: str, actor: Actor) -> Action:
        action = await self._decidable(tenant, action_id, actor)
        return await self._refused(action, "cancelled", actor.subject)

    # --- doing it -------------------------------------------------------------------------------

    async def perform(self, tenant: str, action_id: str, wait_s: float) -> Action:
        loop = asyncio.get_running_loop()
        ends = loop.time() + wait_s
        while True:
            action = await self._journal.action(tenant, action_id)
            if action.state not in _PERFORMED:
                return action
            advanced = await self._advanced(action_id, ends - loop.time())
            if advanced or loop.time() >= ends:
                return await self._journal.action(tenant, action_id)
            await asyncio.sleep(WATCH_S)

    async def _advanced(self, action_id: str, wait_s: float) -> bool:
        """Whether this process did what can be done of it now. False: somebody else is at it, or
        it is not due, or `wait_s` passed; the work goes on in the background."""
        task = self._running.get(action_id)
        if task is None:
            task = asyncio.create_task(self._claimed(action_id))
            self._running[action_id] = task
            task.add_done_callback(lambda _: self._running.pop(action_id, None))
        done, _ = await asyncio.wait({task}, timeout=max(wait_s, 0.0))
        return bool(done) and task.result()

    async def _claimed(self, action_id: str) -> bool:
        since = asyncio.get_running_loop().time()
        executor = self._parts.executor
        try:
            claim = await self._journal.claim(self._parts.worker, executor.lease_s, action_id)
            if claim is None:
                return False
            await executor.run(claim, since)
        except FencedOutError:
            _log.info("lease_lost", action=action_id)
        except JournalError as failure:  # the journal knows where it stands; a worker goes on
            _log.warning("action_interrupted", action=action_id, error=type(failure).__name__)
            return False
        return True

    async def undo(self, tenant: str, action_id: str, actor: Actor) -> Action:
        done = await self._decidable(tenant, action_id, actor)
        if done.state not in _UNDOABLE or done.undo is None:
            raise IllegalMoveError(f"{done.call.tool} is {done.state.value}: nothing to take back")
        tool = self._parts.catalogue.tool(done.undo.tool)
        if tool is None or tool.manifest.version != done.undo.version:
            raise IllegalMoveError("the tool that takes it back was changed; ask a person")
        draft = await self._undo_draft(done, done.undo, tool)
        return await self._file(draft)

    async def _undo_draft(self, done: Action, call: ToolCall, tool: Tool) -> _Draft:
        manifest = tool.manifest
        tier = effective_tier(manifest, call.arguments)
        target = await _looked(tool, call, done.who)
        if done.undo_etag is not None and target.etag != done.undo_etag:
            note = "It was changed since: undoing will stop, and call a person."
            target = replace(target, notes=(*target.notes, note))
        tries = await self._undo_tries(done)
        new = NewAction(
            id=new_id(),
            idem_key=sha256(f"undo\0{done.id}\0{tries}".encode()),
            who=done.who,
            call=call,
            tier=tier,
            policy_version=self._parts.policy_version,
            etag=done.undo_etag,
            expires_s=RULES[tier].expires_s,
            thread_id=done.thread_id,
            undoes=done.id,
        )
        card = render(manifest, call.arguments, target, done.who, tier, {})
        return _Draft(new, manifest, card, by_policy=False)

    async def _undo_tries(self, done: Action) -> int:
        """How often undoing it was refused before: each gets a card of its own."""
        tries = 0
        while True:
            key = sha256(f"undo\0{done.id}\0{tries}".encode())
            known = await self._journal.by_key(done.who.tenant, key)
            if known is None or known.state is not State.REFUSED:
                return tries
            tries += 1

    async def resolve(self, tenant: str, action_id: str, ending: Ending, actor: Actor) -> Action:
        action = await self._decidable(tenant, action_id, actor)
        return await self._journal.resolve(action, ending, actor.subject)

    # --- looking --------------------------------------------------------------------------------

    async def cards(self, actor: Actor) -> tuple[Action, ...]:
        pending = await self._journal.actions(
            actor.tenant, states=(State.PENDING,), limit=MOST_CARDS
        )
        return tuple(action for action in pending if self._theirs(action, actor))

    async def action(self, actor: Actor, action_id: str) -> Action:
        return await self._decidable(actor.tenant, action_id, actor)

    async def _decidable(self, tenant: str, action_id: str, actor: Actor) -> Action:
        action = await self._journal.action(tenant, action_id)
        if not self._theirs(action, actor):
            raise UnknownActionError(f"there is no action {action_id} for you")
        return action

    def _theirs(self, action: Action, actor: Actor) -> bool:
        if action.who == actor.principal:
            return True
        tool = self._parts.catalogue.tool(action.call.tool)
        return tool is not None and may_decide(action, tool.manifest, actor)

    async def aclose(self) -> None:
        """Waits for what this desk performs."""
        while self._running:
            await asyncio.wait(set(self._running.values()))


def _for(manifest: Manifest, actor: Actor) -> bool:
    planned = not manifest.plans or actor.plan in manifest.plans
    return planned and not manifest.hidden and manifest.rights <= actor.rights


async def _completed(tool: Tool, request: Request) -> ToolCall:
    if not isinstance(tool, Completing):
        return request.call
    return await tool.complete(request.call, request.actor.principal)


async def _looked(tool: Tool, call: ToolCall, who: Principal) -> Target:
    return await called(tool.look(call, who), tool.manifest.timeout_s)


def _under_ceiling(request: Request, tier: Tier, ceiling: Tier) -> None:
    if tier <= ceiling or not request.origins:
        return
    raise BadCallError(
        request.call.tool,
        {
            name: f"was taken from {origin}; pick or type it"
            for name, origin in request.origins.items()
        },
    )


def _still_open(action: Action) -> None:
    if action.state is State.REFUSED and action.reason == "expired":
        raise ApprovalError("expired", "the card has expired; ask again")
    if action.state is not State.PENDING:
        raise ApprovalError("not_pending", f"the action is {action.state.value}")


def _same_card(action: Action, decision: Decision) -> None:
    """What was seen, what is stored, and what it hashes to now are one."""
    seen = equal_digests(decision.digest, action.digest)
    if not (seen and equal_digests(digest_now(action), action.digest)):
        raise ApprovalError("digest_mismatch", "the card shown is not the action stored")
