"""What a person may ask of the deeds themselves: undo, what was done, what can be done, how it
stands, call it off, hear no more of what is still open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from langgraph.runtime import Runtime

from agent.acting_node import ActingNode, onward, person, said
from agent.language import Control
from agent.proposing import Hitch, unless_hitch
from agent.reporting import history_of, report_of, title_of
from agent.running import RunContext, language_for
from agent.state import ConversationState
from tools.journal import Action, IllegalMoveError, State

MOST_LISTED = 200
"""Actions of one conversation that are looked through; people do a few dozen."""
_UNDOABLE = frozenset({State.SUCCEEDED, State.FAILED})
_WAITING = frozenset({State.PROPOSED, State.PENDING, State.APPROVED, State.STARTED})


class ManagingSteps(ActingNode):
    """The node `manage`; `state["reply"]` names the control."""

    async def manage(
        self, state: ConversationState, runtime: Runtime[RunContext]
    ) -> ConversationState:
        verbs: dict[Control, Callable[[RunContext], Awaitable[str | Action]]] = {
            Control.UNDO: self._undo,
            Control.HISTORY: self._history,
            Control.ABILITIES: self._abilities,
            Control.STATUS: self._status,
            Control.CANCEL: self._cancel,
            Control.HUSH: self._hush,
        }
        with self._node.step(runtime, state, "act") as timings:
            found = await verbs[Control(state["reply"] or "")](runtime.context)
        state = {**state, "timings_ms": timings}
        if isinstance(found, str):
            return said(self._speak(state, runtime, found), state["memory"])
        return {**onward([found]), "timings_ms": timings, "memory": {}}

    async def _undo(self, context: RunContext) -> str | Action:
        """The newest thing done in this conversation that can be taken back."""
        words = language_for(context.turn)
        done = [a for a in await self._done(context) if _can_undo(a)]
        if not done:
            return words.say("act_nothing_to_undo")
        newest, actor = done[-1], person(context)
        try:
            found = await unless_hitch(
                lambda: self._acting.desk.undo(actor.tenant, newest.id, actor), illegal=True
            )
        except IllegalMoveError:
            title = title_of(self._acting, newest.call.tool)
            return words.say("act_cannot_undo", title=title)
        if isinstance(found, Hitch):
            return self._masked(words, found.reply, found.values)
        return found

    async def _history(self, context: RunContext) -> str:
        actions = [a for a in await self._done(context) if a.state is not State.PROPOSED]
        return history_of(self._acting, actions, language_for(context.turn))

    async def _abilities(self, context: RunContext) -> str:
        """From the registry, and from nowhere else: only what this person may use."""
        words = language_for(context.turn)
        offered = self._acting.desk.offered(person(context))
        if not offered:
            return words.say("act_abilities_none")
        told = [f"- **{tool.title}**: {tool.summary}" for tool in offered if tool.summary]
        more = [tool.title for tool in offered if not tool.summary]
        if more:
            told.append(f"- {words.say('act_more', titles=', '.join(more))}")
        return words.say("act_abilities", list="\n".join(told))

    async def _status(self, context: RunContext) -> str:
        words = language_for(context.turn)
        actions = await self._done(context)
        if not actions:
            return words.say("act_history_none")
        waiting = [action for action in actions if action.state in _WAITING]
        return await report_of(self._acting, (waiting or actions)[-1], words)

    async def _cancel(self, context: RunContext) -> str:
        words, actor = language_for(context.turn), person(context)
        waiting = [action for action in await self._done(context) if action.state in _WAITING]
        if not waiting:
            return words.say("act_nothing_to_cancel")
        title = title_of(self._acting, waiting[-1].call.tool)
        try:
            await self._acting.desk.cancel(actor.tenant, waiting[-1].id, actor)
        except IllegalMoveError:
            return words.say("act_cannot_cancel", title=title)
        return words.say("act_cancelled", title=title)

    async def _hush(self, context: RunContext) -> str:
        words, actor = language_for(context.turn), person(context)
        hushed = await self._acting.journal.hush(actor.tenant, context.turn.thread_id)
        return words.say("act_hushed" if hushed else "act_nothing_to_hush")

    async def _done(self, context: RunContext) -> tuple[Action, ...]:
        """This person's newest actions in this conversation, oldest first, without steps."""
        actor = person(context)
        return await self._acting.journal.asked_for(
            actor.tenant, actor.subject, thread_id=context.turn.thread_id, limit=MOST_LISTED
        )


def _can_undo(action: Action) -> bool:
    return action.state in _UNDOABLE and action.undo is not None and action.undoes is None
