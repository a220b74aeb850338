"""The user's word on a card -> the journal; what came of it is the action as it then stands."""

from __future__ import annotations

from dataclasses import dataclass

from agent.deps import Acting
from agent.types import CardAnswer
from tools.acting import BadCallError, Decision
from tools.approvals import may_decide
from tools.journal import Action, ApprovalError, IllegalMoveError, State
from tools.tool import ToolError
from tools.types import Actor


@dataclass(frozen=True, slots=True)
class Decided:
    """`code` says why the word did not count; the action may still be pending then. Codes of
    ApprovalError, and `bad_call`, `target_away`; `detail` is for people."""

    action: Action
    code: str = ""
    detail: str = ""


async def decide(acting: Acting, actor: Actor, answer: CardAnswer) -> Decided:
    """One word on one card. A card that was decided before is left as it is: replay-safe.

    Raises JournalUnavailableError, UnknownActionError.
    """
    tenant = actor.tenant
    action = await acting.journal.action(tenant, answer.action_id)
    if action.state is not State.PENDING:
        return Decided(action)
    try:
        return await _decide(acting, actor, action, answer)
    except ApprovalError as error:
        return Decided(await acting.journal.action(tenant, action.id), error.code, str(error))
    except BadCallError as error:
        return Decided(action, "bad_call", "; ".join(error.errors.values()))
    except ToolError as error:
        return Decided(action, "target_away", error.code)
    except IllegalMoveError:  # it moved on while we decided
        return Decided(await acting.journal.action(tenant, action.id))


async def _decide(acting: Acting, actor: Actor, action: Action, answer: CardAnswer) -> Decided:
    if answer.verdict == "drop":
        return Decided(await acting.desk.cancel(actor.tenant, action.id, actor))
    if answer.edited and answer.verdict == "approve":
        arguments = {**action.call.arguments, **answer.edited}
        edited = await acting.desk.edit(actor.tenant, action.id, arguments, actor)
        if edited.id != action.id:  # a new action, whose card nobody has seen yet
            return Decided(edited)
    word = Decision(
        action_id=action.id,
        digest=answer.digest or action.digest,
        verdict=answer.verdict,
        approver=actor,
        always=answer.always,
    )
    return Decided(await acting.desk.decide(actor.tenant, word))


async def waits_for_user(acting: Acting, actor: Actor, action: Action) -> bool:
    """Whether a pending action waits for this person's own word, and not for somebody else's."""
    if action.state is not State.PENDING:
        return False
    tool = acting.catalogue.tool(action.call.tool, action.call.version)
    if tool is None or not may_decide(action, tool.manifest, actor):
        return False
    given = await acting.journal.approvals(actor.tenant, action.id)
    spoken = any(approval.approver == actor.subject for approval in given)
    return not spoken and tool.manifest.rights <= actor.rights
