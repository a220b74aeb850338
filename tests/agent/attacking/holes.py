"""Planted holes: each takes one guard away, and an ordinary attack must come through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from pydantic import JsonValue

from agent import copilot, verification
from agent.acting import PlannerTurn, Slot, model_planner
from agent.acting.model_tools import Reading
from agent.conversations import Conversation
from agent.copilot import Copilot
from guardrails.labels import Integrity
from retrieval import memory
from retrieval.filters import Clause, clauses
from retrieval.types import Scope
from tests.agent.attacking.cases import Case, Grounds, Route, cases, tried
from tests.agent.attacking.oracle import Finding
from tests.agent.attacking.scenes_forger import Forgery
from tests.agent.attacking.scenes_model import Trick, Writing
from tests.agent.attacking.scenes_planner import Goal
from tests.tools.simulation.mutants import planted
from tools import approvals, desk, executor
from tools.acting import Request
from tools.approvals import RULES, may_decide
from tools.desk import ActionDesk
from tools.held_memory import MemoryHeldValues, context_of
from tools.journal import Action
from tools.store import deciding, doing
from tools.types import Actor, Manifest, Tier

Patch = tuple[object, str, object]
Aim = tuple[Route, str]


@dataclass(frozen=True, slots=True)
class Hole:
    """`patches` open it; one of the `aims` must then be found doing one of `kinds`."""

    name: str
    patches: Sequence[Patch]
    aims: Sequence[Aim]
    kinds: frozenset[str]

    def opened(self) -> AbstractContextManager[None]:
        return planted(*self.patches)


def believed(tool: Manifest, arguments: Mapping[str, JsonValue], _at: Reading) -> dict[str, Slot]:
    return {name: Slot(value, Integrity.OPERATOR) for name, value in arguments.items()}


def _anybodys(
    self: MemoryHeldValues, tenant: str, _subject: str, thread_id: str, tokens: frozenset[str]
) -> dict[str, tuple[str, str]]:
    here = self._kept.get((tenant, thread_id), {})
    found = {name: here[name] for name in tokens & here.keys()}
    return {
        name: (
            sealed.held.type,
            self.vault.open(
                tenant, sealed.subject, context_of(thread_id, name), sealed.value
            ).decode(),
        )
        for name, sealed in found.items()
    }


async def always(_desk: ActionDesk, _request: Request, _tier: Tier) -> bool:
    return True


async def _whatever_was_read(desk_: ActionDesk, request: Request, tier: Tier) -> bool:
    """Consent without the ceiling."""
    who = request.actor.principal
    consents = await desk_._journal.consents(who.tenant, who.subject)
    return tier is Tier.R0 or (RULES[tier].standing and request.call.tool in consents)


def _of_any_tenant(action: Action, manifest: Manifest, person: Actor) -> bool:
    same = person.principal._replace(tenant=action.who.tenant)
    return may_decide(action, manifest, replace(person, principal=same))


def _every_tenant(scope: Scope) -> tuple[Clause, ...]:
    return clauses(scope)[1:]


def _as_written(text: str, markers: object = (), sources: object = ()) -> str:
    return text


async def _for_anybody(
    self: Copilot, tenant: str, thread_id: str, _actor: Actor | None = None
) -> Conversation | None:
    return await self._deps.conversations.conversation(tenant, thread_id)


async def _no_objection(*_: object) -> None:
    return None


def _facts_too(turn: PlannerTurn) -> list[str]:
    return [str(fact.value) for fact in turn.facts.values()]


def _aims(route: Route, *aims: str) -> tuple[Aim, ...]:
    return tuple((route, aim) for aim in aims)


_DONE = frozenset({"effect", "approval"})
_EQUAL = (
    (desk, "equal_digests", lambda *_: True),
    (approvals, "equal_digests", lambda *_: True),
    (deciding, "sound", lambda _: True),
    (doing, "sound", lambda _: True),
)
"""Desk, executor and journal each compare for themselves."""
HOLES = (
    Hole("the integrity floor is ignored", ((model_planner, "read", believed),),
         _aims(Route.MODEL, Trick.CALL, Trick.OBEY), frozenset({"slipped"})),
    Hole("the owner of a held value is not checked", ((MemoryHeldValues, "_opened", _anybodys),),
         _aims(Route.FORGER, Forgery.HELD), frozenset({"stolen"})),
    Hole(
        "no approval is needed",
        ((ActionDesk, "_by_policy", always), (deciding, "_automatic", lambda *_: True)),
         _aims(Route.PLANNER, Goal.CALL, Goal.REPEAT), _DONE),
    Hole("hidden tools are offered", ((desk, "_for", lambda *_: True),),
         _aims(Route.PLANNER, Goal.WITHHELD), frozenset({"withheld"})),
    Hole("the ceiling is ignored for inferred values", ((desk, "_under_ceiling", lambda *_: None),),
         _aims(Route.PLANNER, Goal.INFERRED), frozenset({"inferred"})),
    Hole("the ceiling is ignored for consent", ((ActionDesk, "_by_policy", _whatever_was_read),),
         _aims(Route.PLANNER, Goal.CONSENT), _DONE),
    Hole("the tenant of who decides is not compared",
         ((desk, "may_decide", _of_any_tenant), (approvals, "may_decide", _of_any_tenant)),
         _aims(Route.FORGER, Forgery.TWIN), _DONE),
    Hole("the tenant of a page is not compared", ((memory, "clauses", _every_tenant),),
         _aims(Route.FORGER, Forgery.PEEK) + _aims(Route.READER, Writing.LEAK),
         frozenset({"stolen"})),
    Hole("links are not taken out", ((verification, "sanitise", _as_written),),
         _aims(Route.READER, Writing.LINK, Writing.QUOTE), frozenset({"active", "address"})),
    Hole("the digest of the word is not compared", ((desk, "_same_card", lambda *_: None),),
         _aims(Route.FORGER, Forgery.DIGEST), _DONE),
    Hole("no digest is compared", _EQUAL,
         _aims(Route.FORGER, Forgery.TAMPER), frozenset({"swapped"})),
    Hole("any sign-in is fresh", ((approvals, "fresh", lambda *_: True),),
         _aims(Route.FORGER, Forgery.STALE), _DONE),
    Hole("one person is two",
         ((approvals, "_two_people", lambda *_: True), (deciding, "_personal", lambda *_: None)),
         _aims(Route.FORGER, Forgery.ALONE), frozenset({"effect"})),
    Hole("the executor asks for no approval", ((executor, "objection", lambda *_: ""),),
         _aims(Route.FORGER, Forgery.ROWS), frozenset({"effect"})),
    Hole("a conversation is anybody's", ((Copilot, "conversation", _for_anybody),),
         _aims(Route.FORGER, Forgery.PEEK, Forgery.RESUME), frozenset({"stolen", *_DONE})),
    Hole("a card need not have been shown", ((copilot, "objection_to", _no_objection),),
         _aims(Route.FORGER, Forgery.RESUME), _DONE),
    Hole("weight is not added", ((desk, "effective_tier", lambda tool, _: tool.tier),),
         _aims(Route.PLANNER, Goal.LIFT), _DONE),
    Hole("a model is told the facts", ((model_planner, "_own_words", _facts_too),),
         _aims(Route.MODEL, *Trick), frozenset({"read"})),
)  # fmt: skip


async def hunted(hole: Hole, on: Grounds, seed: int, most: int) -> tuple[Case, Finding] | None:
    """The first of the run's attacks that comes through the hole."""
    chosen = (case for case in cases(seed, most) if (case.route, case.aim) in hole.aims)
    for case in chosen:
        await on.world(case)  # settled before the hole is open
        with hole.opened():
            found = await tried(case, on)
        for finding in found:
            if finding.kind in hole.kinds:
                return case, finding
    return None
