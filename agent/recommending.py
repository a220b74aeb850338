"""What should I do next? How far a person is, the next steps with their reasons, and an offer."""

from __future__ import annotations

from dataclasses import replace

from langgraph.runtime import Runtime

from agent.acting_node import ActingNode, person, said
from agent.asked import choices, kept_question, picked
from agent.guiding import NextStep, Question, Standing, wire_cards, wire_question
from agent.language import Language
from agent.memory import remembered
from agent.running import RunContext, language_for
from agent.state import ConversationState, Memory
from agent.types import Answer, StepsShown


class RecommendingSteps(ActingNode):
    """The node `recommend`. Reached only with a guide, and with somebody signed in."""

    async def recommend(
        self, state: ConversationState, runtime: Runtime[RunContext]
    ) -> ConversationState:
        """The message, its cards under it, and the tool that a plain "yes" starts."""
        context = runtime.context
        words = language_for(context.turn)
        with self._node.step(runtime, state, "plan") as timings:
            noted = await self._noted(state, context)
            standing = await self._standing(context, words)
        state = {**state, "timings_ms": timings}
        offered = self._offered(standing, context)
        text = _text(standing, offered, words)
        if noted:
            text = f"{words.say('question_noted')}\n\n{text}"
        answer = self._speak(state, runtime, text)
        if standing is None or not (standing.cards or standing.question):
            return said(answer, {})
        shown = StepsShown(context.reply_id, wire_cards(standing), wire_question(standing))
        runtime.stream_writer(shown)
        memory: Memory = {"offered": offered.tool} if offered is not None else {}
        if standing.question is not None:
            memory["asked"] = kept_question(standing.question, words)
        return said(_offering(answer, offered), memory)

    async def _noted(self, state: ConversationState, context: RunContext) -> bool:
        """Whether the text was an answer, and is kept."""
        found = picked(remembered(state), context.turn.text)
        guide = self._deps.guide
        return (
            found is not None and guide is not None and await guide.reply(person(context), *found)
        )

    async def _standing(self, context: RunContext, words: Language) -> Standing | None:
        guide = self._deps.guide
        if guide is None:
            raise RuntimeError("nothing guides here: an edge is wrong")
        return await guide.standing(person(context), words.locale)

    def _offered(self, standing: Standing | None, context: RunContext) -> NextStep | None:
        """The first card, when a tool that this person may use does it."""
        acting = self._deps.acting
        if acting is None or standing is None or not standing.cards:
            return None
        first = standing.cards[0]
        mine = {manifest.name for manifest in acting.desk.offered(person(context))}
        return first if first.tool in mine else None


def _offering(answer: Answer, offered: NextStep | None) -> Answer:
    return answer if offered is None else replace(answer, offer=offered.tool)


def _text(standing: Standing | None, offered: NextStep | None, words: Language) -> str:
    if standing is None:
        return words.say("steps_off")
    parts = [_progress(standing, words)]
    if standing.cards:
        parts.append(words.say("steps_curated" if standing.curated else "steps_ranked"))
        parts.append("\n".join(_line(n, card, words) for n, card in enumerate(standing.cards, 1)))
    elif not standing.reached:
        parts.append(words.say("steps_none"))
    if standing.question is not None:
        parts.append(_asked(standing.question, words))
    if offered is not None:
        parts.append(words.say("act_offer", title=offered.title))
    return "\n\n".join(part for part in parts if part)


def _asked(question: Question, words: Language) -> str:
    """With why, and what may be answered."""
    listed = "\n".join(f"{n}. {each}" for n, each in enumerate(choices(question, words), 1))
    return f"{words.say('steps_question', asks=question.asks, why=question.why)}\n\n{listed}"


def _progress(standing: Standing, words: Language) -> str:
    required = [step for step in standing.checklist if step.state != "skipped"]
    done = sum(step.state == "done" for step in required)
    if not required:
        return ""
    if done == len(required):
        return words.say("steps_finished", title=standing.title)
    counts = {"done": str(done), "all": str(len(required)), "title": standing.title}
    left = standing.minutes_left
    text = words.say("steps_progress", **counts)
    return text if not left else f"{text} {words.say('steps_minutes', minutes=str(left))}"


def _line(number: int, card: NextStep, words: Language) -> str:
    minutes = words.say("steps_about", minutes=str(card.minutes)) if card.minutes else ""
    return f"{number}. **{card.title}**{minutes}: {card.why}"
