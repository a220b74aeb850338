"""The steps behind a card: the user's word, the deed, the report; and what may be asked of deeds.

Nothing here grants anything: the desk moves what moves, and the journal alone says that something
may be done, or was.
"""

from __future__ import annotations

from dataclasses import replace

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from agent.acting_node import ActingNode, onward, person, said
from agent.action_types import ToolCalled, ToolEnded
from agent.deciding import Decided, decide
from agent.executing import carry_out
from agent.proposing import in_words
from agent.reporting import mark, remedy_for, report_of, title_of
from agent.running import RunContext, language_for
from agent.state import ConversationState, Memory
from tools.journal import Action


class ActionSteps(ActingNode):
    """The nodes `decide`, `execute` and `report`."""

    async def decide(
        self, state: ConversationState, runtime: Runtime[RunContext]
    ) -> ConversationState:
        """Waits for the user's word; the word goes to the journal, which alone makes it count."""
        context, ids = runtime.context, state["action_ids"]
        if state["cause"] != "decision":
            interrupt({"actions": ids})
        if not context.answers:  # a server died holding the user's word: it is not guessed
            return {**onward(await self._named(state, context)), "say": "act_not_recorded"}
        with self._node.step(runtime, state, "act") as timings:
            answers = context.answers.values()
            decided = [await decide(self._acting, person(context), answer) for answer in answers]
        for answer, one in zip(answers, decided, strict=True):
            if one.action.id != answer.action_id:  # edited: the call shown before has ended
                runtime.stream_writer(ToolEnded(answer.action_id))
        return {**_after(decided, context), "timings_ms": timings}

    async def execute(
        self, state: ConversationState, runtime: Runtime[RunContext]
    ) -> ConversationState:
        """Every approved action is performed, and its progress told."""
        done = []
        with self._node.step(runtime, state, "act") as timings:
            for action in state.get("actions") or []:
                if action.id not in runtime.context.answers:  # nobody had to approve it
                    runtime.stream_writer(ToolCalled(action.id, action.call.tool, ""))
                done.append(await carry_out(self._acting, action, runtime.stream_writer))
        return {"actions": done, "timings_ms": timings}

    async def report(
        self, state: ConversationState, runtime: Runtime[RunContext]
    ) -> ConversationState:
        """What came of it, with receipt and the way back; a remedy where there is one."""
        acting, context = self._acting, runtime.context
        words = language_for(context.turn)
        actions = state.get("actions") or await self._named(state, context)
        for action in actions:
            runtime.stream_writer(ToolEnded(action.id))
        texts = [await report_of(acting, action, words) for action in actions]
        offer = self._remedy(actions, context)
        if offer is not None:
            texts.append(words.say("act_remedy", title=title_of(acting, offer)))
        memory: Memory = {"offered": offer} if offer else state["memory"]
        answer = self._speak(state, runtime, "\n\n".join(texts))
        marks = tuple(mark(action) for action in actions)
        return said(replace(answer, actions=marks, offer=offer), memory)

    async def _named(self, state: ConversationState, context: RunContext) -> list[Action]:
        tenant = context.turn.tenant
        return [await self._acting.journal.action(tenant, name) for name in state["action_ids"]]

    def _remedy(self, actions: list[Action], context: RunContext) -> str | None:
        if context.actor is None:
            return None
        offered = [manifest.name for manifest in self._acting.desk.offered(context.actor)]
        remedies = (remedy_for(self._acting, action, offered) for action in actions)
        return next((name for name in remedies if name is not None), None)


def _after(decided: list[Decided], context: RunContext) -> ConversationState:
    """Where the decided actions go, and the words that explain a card that is shown again."""
    way = onward([one.action for one in decided])
    hitch = next((one for one in decided if one.code), None)
    if hitch is not None:
        way["say"] = _HITCHES.get(hitch.code) or f"act_refused_{hitch.code}"
        way["say_values"] = {"problems": hitch.detail, "reason": in_words(hitch.detail)}
    elif any(one.action.id not in context.answers for one in decided):
        way["say"] = "act_edited"
    return way


_HITCHES = {"bad_call": "act_bad_edit", "target_away": "act_target_away"}
