"""What an action left open is said again: sooner and more often the higher its risk, until it is
done, or the person does not want to hear of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from langgraph.runtime import Runtime

from agent.acting_node import ActingNode, said
from agent.deps import Acting
from agent.reporting import title_of
from agent.running import RunContext, language_for
from agent.state import ConversationState, Memory
from tools.journal import Action, OutboxRow, State
from tools.tool import Reminding, ToolError
from tools.types import OpenItem

NOT_READ_S = 900.0
"""The state of the product could not be read, as after the person's sign-in ended: looked at again
after this. Nothing is said of a state that was not seen."""
GIVES_UP_S = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Reminder:
    """`items` to tell now, the riskiest first; `stage` numbers the times; then `again_s`."""

    items: tuple[OpenItem, ...] = ()
    stage: int = 0
    again_s: float | None = None


def reminding(acting: Acting, action: Action) -> Reminding | None:
    """The action's tool, when it may leave something open."""
    tool = acting.catalogue.tool(action.call.tool)
    if isinstance(tool, Reminding) and tool.reminders:
        return tool
    return None


def first_due_s(tool: Reminding) -> float:
    """The earliest that anything is to be said again."""
    return min(item.after_s[0] for item in tool.reminders)


async def reminder_of(acting: Acting, row: OutboxRow, action: Action) -> Reminder:
    """Raises JournalError."""
    tool = reminding(acting, action)
    age_s = (await acting.journal.now() - row.created).total_seconds()
    if tool is None or age_s > GIVES_UP_S or await _is_past(acting, action):
        return Reminder()
    try:
        open_ = await tool.still_open(action.call, action.who)
    except ToolError:
        return Reminder(again_s=NOT_READ_S)
    due = tuple(item for item in open_ if item.after_s[0] <= age_s)
    times = sorted({time for item in open_ for time in item.after_s})
    following = next((time - age_s for time in times if time > age_s), None)
    return Reminder(due, sum(time <= age_s for time in times), following)


async def _is_past(acting: Acting, action: Action) -> bool:
    """Taken back, erased, or done again since: the newer one reminds."""
    if action.state is not State.SUCCEEDED or action.sealed:
        return True
    who, tool = action.who, action.call.tool
    every = await acting.journal.asked_for(who.tenant, who.subject, thread_id=action.thread_id)
    same = [a.id for a in every if a.call.tool == tool and a.state is State.SUCCEEDED]
    return same[-1:] != [action.id]  # nor among the newest hundred: long past


class RemindingSteps(ActingNode):
    """The node `remind`."""

    async def remind(
        self, state: ConversationState, runtime: Runtime[RunContext]
    ) -> ConversationState:
        """What is still open, why it matters, and the offer to go on; a wish in the making, or an
        earlier offer, is not pushed aside."""
        words = language_for(runtime.context.turn)
        tenant, (action_id,) = runtime.context.turn.tenant, state["action_ids"]
        action = await self._acting.journal.action(tenant, action_id)
        tool, name = reminding(self._acting, action), action.call.tool
        items = [i for i in tool.reminders if i.id in state["item_ids"]] if tool else []
        lines = [
            f"- **{item.title}** ({words.say(f'act_risk_{item.risk}')}): {item.why}"
            for item in items
        ]
        earlier = state["memory"]
        busy = bool(earlier.get("wish")) or earlier.get("offered") not in {None, name}
        text = words.say("act_reminder", title=title_of(self._acting, name), list="\n".join(lines))
        text += "" if busy else words.say("act_reminder_offer")
        memory: Memory = earlier if busy else {"offered": name}
        answer = self._speak(state, runtime, text)
        return said(replace(answer, offer=None if busy else name), memory)
