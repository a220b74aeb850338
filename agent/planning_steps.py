"""The steps before a card: the wish is planned, offered, proposed, and shown for approval."""

from __future__ import annotations

from dataclasses import replace

import structlog
from langgraph.runtime import Runtime

from agent.acting import (
    AskFor,
    CannotDo,
    Dropped,
    NoAction,
    Plan,
    PlannerError,
    PlannerTurn,
    Ready,
)
from agent.acting.phrasing import phrasing
from agent.acting.speech import Act, act_of
from agent.acting_node import ActingNode, onward, person, said
from agent.action_types import CardShown, ChoiceShown, ToolCalled
from agent.deciding import waits_for_user
from agent.language import Language
from agent.memory import kept, wish_of
from agent.proposing import Hitch, Place, propose
from agent.reporting import mark, title_of
from agent.running import RunContext, finish, language_for
from agent.state import ConversationState, Memory
from agent.types import Answer, MessageDelta, Refusal, RouteKind
from guardrails import stored
from tools.journal import State
from tools.types import Manifest

_log = structlog.get_logger(__name__)


class PlanningSteps(ActingNode):
    """The nodes `plan`, `offer`, `propose` and `present`."""

    async def plan(
        self, state: ConversationState, runtime: Runtime[RunContext]
    ) -> ConversationState:
        """One more turn of a wish: a question, a complete call, or no action at all."""
        with self._node.step(runtime, state, "plan") as timings:
            plan = await self._planned(state, runtime.context)
        state = {**state, "timings_ms": timings}
        words = language_for(runtime.context.turn)
        match plan:
            case NoAction():
                return self._not_planned(state, runtime, words)
            case AskFor():
                return self._ask(state, runtime, plan, words)
            case Ready(wish):
                return {"path": "propose", "memory": {"wish": kept(wish)}, "timings_ms": timings}
            case Dropped():
                return said(self._speak(state, runtime, words.say("act_dropped")), {})
            case CannotDo(nearest):
                return self._cannot(state, runtime, nearest, words)

    async def _planned(self, state: ConversationState, context: RunContext) -> Plan:
        acting, actor, turn = self._acting, person(context), context.turn
        memory = state["memory"]
        ahead = PlannerTurn(
            text=turn.text,
            history=turn.history,
            tools=acting.desk.offered(actor),
            held=await acting.held.known(turn.tenant, turn.thread_id),
            facts=await acting.facts.facts(actor),
            now=self._deps.clock(),
            lookup=acting.lookup(actor),
            wish=wish_of(memory),
            offered=memory.get("offered"),
            locale=language_for(turn).locale,
        )
        try:
            return await acting.planner.plan(ahead)
        except PlannerError as error:
            _log.warning("planner.failed", planner=acting.planner.name, reason=str(error))
            return NoAction()

    def _not_planned(
        self, state: ConversationState, runtime: Runtime[RunContext], words: Language
    ) -> ConversationState:
        """An aside: the question is answered, a wish in the making waits, an offer does not."""
        memory: Memory = {"wish": state["memory"].get("wish")}
        kind = RouteKind(state["kind"])
        if kind is RouteKind.ACTION:
            return {**self._cannot(state, runtime, (), words), "memory": memory}
        path = "retrieve" if kind is RouteKind.QUESTION else "reply"
        if kind is RouteKind.PROGRESS and self._deps.guide is not None:
            path = "recommend"
        return {"path": path, "memory": memory, "timings_ms": state["timings_ms"]}

    def _cannot(
        self,
        state: ConversationState,
        runtime: Runtime[RunContext],
        nearest: tuple[str, ...],
        words: Language,
    ) -> ConversationState:
        near = words.say("act_nearest", titles=", ".join(nearest)) if nearest else ""
        answer = self._speak(state, runtime, words.say("act_cannot", nearest=near))
        return said(replace(answer, refused=True, reason=Refusal.OUT_OF_SCOPE), {})

    def _ask(
        self, state: ConversationState, runtime: Runtime[RunContext], plan: AskFor, words: Language
    ) -> ConversationState:
        text = f"{plan.problem} {plan.question}" if plan.problem else plan.question
        choices = tuple(ChoiceShown(str(c.value), c.label) for c in plan.choices)
        if plan.argument is None and not choices:
            yes, no = words.say("act_yes"), words.say("act_no")
            choices = (ChoiceShown("yes", yes), ChoiceShown("no", no))
        answer = replace(self._speak(state, runtime, text), choices=choices)
        return said(answer, {"wish": kept(plan.wish)})

    async def offer(
        self, state: ConversationState, runtime: Runtime[RunContext]
    ) -> ConversationState:
        """A how-to answer ends with the offer to do it, where a tool does just that."""
        acting, context = self._deps.acting, runtime.context
        answer = state.get("answer")
        if acting is None or answer is None or not context.converses:
            return {}
        if state["memory"].get("wish"):
            return {}
        tools = self._tools(context)
        name = await self._offered(state, tools) or _on_topic(state, answer, tools, context)
        if name is None:
            return {}
        key = "act_offer" if context.actor is not None else "act_offer_sign_in"
        text = "\n\n" + language_for(context.turn).say(key, title=title_of(acting, name))
        runtime.stream_writer(MessageDelta(context.reply_id, text))
        offered = name if context.actor is not None else None
        answer = replace(answer, text=answer.text + text, offer=offered)
        return {"answer": answer, "memory": {"offered": offered}}

    def _tools(self, context: RunContext) -> tuple[Manifest, ...]:
        """Those that this person may use; of somebody unknown, those that a sign-in may give."""
        if context.actor is not None:
            return self._acting.desk.offered(context.actor)
        return tuple(m for m in self._acting.catalogue.manifests() if not m.hidden)

    async def _offered(self, state: ConversationState, tools: tuple[Manifest, ...]) -> str | None:
        planner = self._acting.planner
        try:
            return await planner.offer(stored(state["question"]), tools)
        except PlannerError as error:
            _log.warning("planner.failed", planner=planner.name, reason=str(error))
            return None

    async def propose(
        self, state: ConversationState, runtime: Runtime[RunContext]
    ) -> ConversationState:
        """The complete call goes to the desk, under a key of this turn."""
        context = runtime.context
        wish = wish_of(state["memory"])
        if wish is None:
            raise RuntimeError("there is nothing to propose: an edge is wrong")
        place = Place(context.turn.thread_id, context.turn.message_id)
        with self._node.step(runtime, state, "act") as timings:
            found = await propose(self._acting, person(context), place, wish)
        state = {**state, "timings_ms": timings}
        if not isinstance(found, Hitch):
            return {**onward([found]), "timings_ms": timings, "memory": {}}
        again: Memory = {}
        if found.reply == "act_bad_call":
            again = {"wish": kept(replace(wish, asked=found.ask, confirming=False))}
        text = self._masked(language_for(context.turn), found.reply, found.values)
        return said(self._speak(state, runtime, text), again)

    async def present(
        self, state: ConversationState, runtime: Runtime[RunContext]
    ) -> ConversationState:
        """The card on the thread; the run pauses when it waits for the user's own word."""
        acting, context = self._acting, runtime.context
        pending = [a for a in state.get("actions") or [] if a.state is State.PENDING]
        ours = [a for a in pending if await waits_for_user(acting, person(context), a)]
        title = title_of(acting, (ours or pending)[0].call.tool)
        say = state.get("say") or ("act_propose" if ours else "act_waiting")
        values = {**state.get("say_values", {}), "title": title}
        text = self._masked(language_for(context.turn), say, values)
        marks = tuple(mark(a, approver="end_user" if a in ours else "other") for a in pending)
        answer = replace(self._speak(state, runtime, text), actions=marks, paused=bool(ours))
        finish(runtime, answer)
        for each in pending:
            if each.id not in context.answers:  # else its call is on the wire already
                runtime.stream_writer(ToolCalled(each.id, each.call.tool, context.reply_id))
            runtime.stream_writer(CardShown(each.id))
        way = "decide" if ours else "end"
        return {"path": way, "cause": "", "action_ids": [a.id for a in ours]}


def _on_topic(
    state: ConversationState, answer: Answer, tools: tuple[Manifest, ...], context: RunContext
) -> str | None:
    """Of a how-to, the tool whose policy names the page that answers it; a flow before a step."""
    words = phrasing(language_for(context.turn).locale)
    if not answer.citations or act_of(state["question"], words) is not Act.HOW_TO:
        return None
    path = answer.citations[0].path
    fitting = [tool for tool in tools if any(topic in path for topic in tool.topics)]
    fitting = [tool for tool in fitting if not tool.reads_only]
    flows = [tool for tool in fitting if tool.source == "flow"]
    only = flows or fitting
    return only[0].name if len(only) == 1 else None
