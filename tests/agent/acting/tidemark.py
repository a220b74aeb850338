"""Tidemark, a project tracker that is nobody's: a catalogue in another style than Harbor's, and a
conversation with a planner as the graph would hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import JsonValue

from agent.acting import (
    AskFor,
    Choice,
    Dropped,
    NoAction,
    Plan,
    Planner,
    PlannerTurn,
    Ready,
    Wish,
)
from agent.acting.awaiting import answers_with_secret
from agent.acting.lookup import KnownLookup
from agent.types import Utterance
from guardrails import Redactor
from guardrails.labels import Integrity, Labelled
from guardrails.patterns import PatternRedactor
from guardrails.pseudonyms import secret_answer
from tools.held_memory import MemoryHeldValues
from tools.types import Argument, Choices, EffectClass, Manifest, Tier
from tools.vault_memory import MemoryVault

NOW = datetime(2026, 3, 11, 14, 20, tzinfo=UTC)
PEOPLE = Choices("listPeople", "/data", "id", "email")
BOARDS = Choices("listBoards", "/data", "id", "title")
_ROLE: dict[str, JsonValue] = {"type": "string", "enum": ["manager", "contributor", "guest"]}
_EMAIL: dict[str, JsonValue] = {"type": "string", "format": "email"}


def tool(
    name: str,
    title: str,
    schema: Mapping[str, JsonValue],
    arguments: Mapping[str, Argument] | None = None,
    **more: object,
) -> Manifest:
    """`schema` are the properties; `must` in `more` names those that are required."""
    must = more.pop("must", ())
    rules = more.pop("rules", None)
    whole: dict[str, JsonValue] = {
        "type": "object",
        "properties": dict(schema),
        "required": list(must),  # type: ignore[call-overload]
        "additionalProperties": False,
    }
    if rules:
        whole["allOf"] = rules  # type: ignore[assignment]
    given = {
        "name": name,
        "version": "1",
        "title": title,
        "summary": "",
        "source": "openapi:tidemark",
        "target": "tidemark",
        "schema": whole,
        "arguments": dict(arguments or {}),
        "tier": Tier.R2,
        "effect": EffectClass.NATURAL,
        **more,
    }
    return Manifest(**given)  # type: ignore[arg-type]


TOOLS = (
    tool(
        "addPerson",
        "Add a person to the organisation",
        {"email": _EMAIL, "role": _ROLE},
        {
            "email": Argument("E-mail", ask="Whose address?", hint="kim@firm.example"),
            "role": Argument("Role", ask="Manager, contributor or guest?"),
        },
        must=("email", "role"),
        phrases=("add kim@firm.example as a guest",),
    ),
    tool(
        "addPeople",
        "Add several people to the organisation",
        {
            "people": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "properties": {"email": _EMAIL, "role": _ROLE},
                    "required": ["email", "role"],
                },
            }
        },
        {"people": Argument("People", ask="Whom shall I add?", kind="object")},
        must=("people",),
        bulk="people",
        phrases=("add kim@firm.example as guest and lou@firm.example as manager",),
    ),
    tool(
        "removePerson",
        "Remove a person from the organisation",
        {"personId": {"type": "string"}},
        {"personId": Argument("Person", ask="Whom?", choices=PEOPLE)},
        must=("personId",),
        tier=Tier.R3,
        phrases=("take Kim out of the organisation",),
    ),
    tool(
        "createBoard",
        "Create a board",
        {
            "title": {"type": "string", "minLength": 1, "maxLength": 60},
            "visibility": {"type": "string", "enum": ["private", "team"]},
        },
        {"title": Argument("Title", ask="What shall the board be called?", kind="name")},
        must=("title",),
        phrases=("create a board called Launch",),
    ),
    tool(
        "archiveBoard",
        "Archive a board",
        {"boardId": {"type": "string"}},
        {"boardId": Argument("Board", ask="Which board?", choices=BOARDS)},
        must=("boardId",),
        phrases=("archive the board Launch",),
    ),
    tool(
        "connectSource",
        "Connect a data source",
        {
            "kind": {"type": "string", "enum": ["postgresql", "stripe"]},
            "host": {"type": "string"},
            "port": {"type": "integer"},
            "database": {"type": "string"},
            "username": {"type": "string"},
            "password": {"type": "string"},
            "apiKey": {"type": "string"},
        },
        {
            "kind": Argument("Source", ask="PostgreSQL or Stripe?", kind="connector"),
            "host": Argument("Host", kind="host"),
            "password": Argument("Password", secret=True, ask="What is the password?"),
            "apiKey": Argument(
                "API key", secret=True, ask="Please paste the key.", kind="stripe_key"
            ),
        },
        must=("kind",),
        rules=[
            {
                "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
                "then": {"required": needs},
            }
            for kind, needs in (
                ("postgresql", ["host", "database", "username", "password"]),
                ("stripe", ["apiKey"]),
            )
        ],
        phrases=("connect our database", "connect Stripe"),
    ),
    tool(
        "claimDomain",
        "Claim a domain",
        {"domain": {"type": "string"}},
        {"domain": Argument("Domain", ask="Which domain?", kind="domain", fill="profile.domain")},
        must=("domain",),
        phrases=("claim our company domain",),
    ),
    tool(
        "listBoards",
        "List boards",
        {},
        tier=Tier.R0,
        phrases=("which boards do we have?",),
    ),
    tool(
        "setReminder",
        "Set a reminder",
        {
            "at": {"type": "string", "format": "date-time"},
            "every_days": {"type": "integer", "minimum": 1, "maximum": 30},
        },
        {
            "at": Argument("Time", ask="When?", kind="datetime"),
            "every_days": Argument("Repeat after (days)", kind="number"),
        },
        must=("at",),
        phrases=("remind me tomorrow at nine",),
    ),
)
THERE: Mapping[str, tuple[Choice, ...]] = {
    "listPeople": (
        Choice("p1", "kim@firm.example"),
        Choice("p2", "lou.marsh@firm.example"),
        Choice("p3", "lou.abel@firm.example"),
    ),
    "listBoards": (Choice("b1", "Launch"), Choice("b2", "Hiring plan")),
}
FACTS: Mapping[str, Labelled[JsonValue]] = {
    "profile.domain": Labelled("firm.example", Integrity.USER_TYPED, "your e-mail address")
}


class There:
    """Present choices of Tidemark."""

    def __init__(self, there: Mapping[str, tuple[Choice, ...]] = THERE) -> None:
        self._there = there

    async def choices(self, tool: str, argument: str) -> tuple[Choice, ...]:
        manifest = next(t for t in TOOLS if t.name == tool)
        source = manifest.arguments[argument].choices
        return self._there.get(source.tool, ()) if source else ()


@dataclass(slots=True)
class Talk:
    """A conversation: what the user says goes in as it does in the product."""

    planner: Planner
    tools: Sequence[Manifest] = TOOLS
    facts: Mapping[str, Labelled[JsonValue]] = field(default_factory=lambda: FACTS)
    there: There = field(default_factory=There)
    locale: str = "en"
    held: MemoryHeldValues = field(default_factory=lambda: MemoryHeldValues(MemoryVault()))
    redactor: Redactor = field(default_factory=PatternRedactor)
    wish: Wish | None = None
    offered: str | None = None
    said: list[Utterance] = field(default_factory=list)
    last: PlannerTurn | None = None

    async def say(self, original: str) -> Plan:
        redaction = self.redactor.redact(original)
        if answers_with_secret(self.wish, self.tools, original, self.locale):
            redaction = secret_answer(original, redaction)
        text = await self.held.hold("t", "s", "thread", original, redaction)
        self.last = PlannerTurn(
            text=text,
            history=tuple(self.said),
            tools=tuple(self.tools),
            held=await self.held.known("t", "thread"),
            facts=self.facts,
            now=NOW,
            lookup=KnownLookup(self.there, self.held, "t", "s", "thread"),
            wish=self.wish,
            offered=self.offered,
            locale=self.locale,
        )
        plan = await self.planner.plan(self.last)
        self.said.append(Utterance("user", text))
        self.offered = None
        if isinstance(plan, AskFor):
            self.wish = plan.wish
        elif not isinstance(plan, NoAction):
            self.wish = None
        return plan

    async def values(self, plan: Plan) -> Mapping[str, JsonValue]:
        """Of a plan that has a wish, as they would be sent."""
        assert isinstance(plan, Ready | AskFor | Dropped)
        slots = {name: slot.value for name, slot in plan.wish.slots.items()}
        return await self.held.restore("t", "s", "thread", slots)


def without(tools: Sequence[Manifest], *names: str) -> tuple[Manifest, ...]:
    return tuple(t for t in tools if t.name not in names)
