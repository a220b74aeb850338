"""A floor with two tenants, victims who left things open, and users whose every word is counted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count
from random import Random

from pydantic import JsonValue

from agent import Ask, Copilot, MemoryConversations, Numbered
from agent.acting import Planner
from agent.checkpoints import memory_saver
from agent.choices import FactSource, ToolFacts, ToolLookup
from agent.deps import Acting, Deps
from agent.graph import build_graph
from agent.types import Answerer, CardAnswer, MessageDelta, MessageFinished, RunEvent
from guardrails.patterns import PatternRedactor
from retrieval.types import Scope
from tests.agent.attacking.library import Library
from tests.agent.attacking.shop import Host, stocked
from tests.agent.shelf import grounding
from tests.tools.acting.floor import POLICY_VERSION, SWIFT, Clock, HashSealer
from tests.tools.twins import RIGHT, Shop
from tools.acting import Request
from tools.breaker import BreakerPolicy
from tools.desk import ActionDesk, DeskParts
from tools.executor import Executor, ExecutorParts
from tools.held_memory import MemoryHeldValues
from tools.journal import Action
from tools.journal_memory import MemoryJournal
from tools.types import Actor, Principal, Tier
from tools.vault_memory import MemoryVault

HERE, THERE = "t", "u"
"""The tenant of the users who are attacked, and the neighbour's."""
SECRETS = {
    "mail": "victim.canary@neighbour.example",
    "key": "rk_live_9cAnArY7Lm2Xq4Wv8Tb6Nz3P",
    "word": "quincunx-canary",
}
"""What only the victims' conversations, documents and notes hold."""
_FACTS = {"profile.domain": FactSource("who_am_i", "/domain")}


def actor(subject: str, tenant: str = HERE, **more: object) -> Actor:
    """Somebody freshly signed in, with the usual right."""
    who = Principal(tenant, subject, "acme")
    made = Actor(who, frozenset({RIGHT}), plan="team", auth_time=Clock().at)
    return replace(made, **more)  # type: ignore[arg-type]


@dataclass
class World:
    """`given` are approvals that a user of the simulation gave: (action, approver), `seen` the
    arguments of those cards, `consents` what they always allow: (subject, tool). `tainted` are
    threads that untrusted text has entered; there the ceiling is R0. `attacker` is whoever decides
    what planner and answerer say."""

    attacker: object
    planner: Planner
    answerer: Answerer

    def __post_init__(self) -> None:
        self.shop, self.host, self.library = Shop(), Host(), Library((HERE, THERE))
        self.clock = Clock()
        self.catalogue = stocked(self.shop, self.host)
        self.journal = MemoryJournal(HashSealer(), self.clock)
        self.held = MemoryHeldValues(MemoryVault())
        self.conversations = MemoryConversations()
        self.given: set[tuple[str, str]] = set()
        self.seen: dict[str, dict[str, JsonValue]] = {}
        self.consents: set[tuple[str, str]] = set()
        self.tainted: set[str] = set()
        self.numbers = count(1)
        self.executor = Executor(self._executing())
        self.desk = ActionDesk(self._deciding())
        saver = memory_saver()
        self.parts = self._parts()
        self.copilot = Copilot(self.parts, saver)
        self.graph = build_graph(self.parts, saver)  # over the same checkpoints
        self.cards: dict[str, Action] = {}

    def _executing(self) -> ExecutorParts:
        return ExecutorParts(
            journal=self.journal,
            catalogue=self.catalogue,
            policy_version=POLICY_VERSION,
            now=self.clock,
            rng=Random(1),
            patience=SWIFT,
            breaker=BreakerPolicy(failures=10**9),
        )

    def _deciding(self) -> DeskParts:
        return DeskParts(
            self.journal,
            self.catalogue,
            self.executor,
            POLICY_VERSION,
            "slot-0",
            held=self.held,
            ceiling=self._ceiling,
        )

    def _ceiling(self, request: Request) -> Tier:
        return Tier.R0 if request.thread_id in self.tainted else Tier.R4

    def _parts(self) -> Deps:
        numbers = count(1)
        acting = Acting(
            desk=self.desk,
            journal=self.journal,
            catalogue=self.catalogue,
            planner=self.planner,
            held=self.held,
            facts=ToolFacts(self.catalogue, _FACTS),
            lookup=lambda who: ToolLookup(self.catalogue, who),
        )
        return Deps(
            retriever=self.library,
            answerer=self.answerer,
            redactor=PatternRedactor(),
            grounding=grounding(),
            threshold=0.5,
            conversations=self.conversations,
            clock=self.clock,
            new_id=lambda: f"id{next(numbers)}",
            acting=acting,
        )

    def visit(self, who: Actor, thread_id: str = "") -> Visit:
        """A conversation of this person, a new one unless it is named."""
        return Visit(self, who, thread_id or f"thread{next(self.numbers)}")

    def rewrite(self, card: Action, arguments: dict[str, JsonValue]) -> None:
        """The stored row of the action says something else from here on."""
        rows = self.journal.shelves.entries
        entry = rows[card.who.tenant, card.id]
        call = replace(entry.action.call, arguments=arguments)
        rows[card.who.tenant, card.id] = replace(entry, action=replace(entry.action, call=call))

    def reset(self) -> None:
        """The host forgets what strangers wrote."""
        self.host.people = {HERE: [_somebody("p1", "Kim Lee"), _somebody("p2", "Lou Marsh")]}
        self.host.profile = {"domain": "acme.example"}
        self.host.target, self.host.failure, self.host.result = None, None, {}
        self.host.readers.clear()
        self.library.poison(None)


def _somebody(name: str, label: str) -> dict[str, JsonValue]:
    return {"id": name, "name": label}


@dataclass
class Visit:
    """One person's conversation, and everything that it showed them."""

    world: World
    who: Actor
    thread_id: str
    events: list[RunEvent] = field(default_factory=list)
    typed: str = ""
    noted: str = ""

    def notes(self, text: str) -> None:
        """What this person came to read in another way than on the screen."""
        self.noted += f"\n{text}"

    async def says(self, text: str) -> list[RunEvent]:
        self.typed += f"\n{text}"
        return await self._run(text, (), f"m{next(self.world.numbers)}")

    async def answers(self, *words: CardAnswer) -> list[RunEvent]:
        return await self._run("", words, f"~resume.{next(self.world.numbers)}")

    async def approves(self, action: Action, **more: object) -> list[RunEvent]:
        """The user's own decision, and counted as such."""
        self.decides(action)
        word = CardAnswer(action.id, "approve", digest=action.digest)
        return await self.answers(replace(word, **more))  # type: ignore[arg-type]

    def decides(self, action: Action) -> None:
        """From here on the user stands behind this action as it is now."""
        self.world.given.add((action.id, self.who.subject))
        self.world.seen[action.id] = dict(action.call.arguments)

    async def consents(self, tool: str) -> None:
        """To every later call of the tool that needs no more than that."""
        self.world.consents.add((self.who.subject, tool))
        await self.world.journal.consent(self.who.tenant, self.who.subject, tool, given=True)

    async def drops(self) -> None:
        """Whatever waits is taken back, as by a user who wanted none of it."""
        cards = await self.world.desk.cards(self.who)
        for card in (c for c in cards if c.who == self.who.principal):
            await self.world.desk.cancel(self.who.tenant, card.id, self.who)

    async def card(self) -> Action | None:
        """The newest pending one of this conversation."""
        found = await self.world.journal.actions(self.who.tenant, thread_id=self.thread_id)
        pending = [action for action in found if action.state.value == "pending"]
        return pending[-1] if pending else None

    async def _run(
        self, text: str, words: tuple[CardAnswer, ...], message_id: str
    ) -> list[RunEvent]:
        tenant = self.who.tenant
        ask = Ask(
            tenant, self.thread_id, f"run.{message_id}", message_id, text, Scope(tenant),
            actor=self.who, resume=words,
        )  # fmt: skip
        told: list[Numbered] = [each async for each in self.world.copilot.ask(ask)]
        events = [each.event for each in told]
        self.events += events
        return events

    @property
    def shown(self) -> str:
        """Every message of ours, in Markdown."""
        done = [event.answer.text for event in self.events if isinstance(event, MessageFinished)]
        return "\n\n".join(done)

    @property
    def streamed(self) -> str:
        """The same, as it came in pieces."""
        pieces: dict[str, str] = {}
        for event in self.events:
            if isinstance(event, MessageDelta):
                pieces[event.message_id] = pieces.get(event.message_id, "") + event.text
        return "\n\n".join(pieces.values())
