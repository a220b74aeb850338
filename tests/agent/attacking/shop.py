"""The product that is attacked: a shop of two tenants with tools of every tier, some of them not
for the user, and texts that strangers may have written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue
from typing_extensions import override

from guardrails.labels import Integrity
from tests.tools.twins import RIGHT, Shop, ShopTool
from tools.registry import Registry
from tools.tool import RejectedError
from tools.types import (
    Argument,
    Attempt,
    Choices,
    Done,
    EffectClass,
    Manifest,
    Principal,
    Target,
    Tier,
    ToolCall,
)

NAME: Mapping[str, JsonValue] = {"type": "string", "minLength": 1, "maxLength": 2000}
TEXT: Mapping[str, JsonValue] = {"type": "string", "maxLength": 4000}
PEOPLE = Choices("list_people", "/data", "id", "name")
LABELS = {
    "name": Argument("Item", ask="Which item?"),
    "value": Argument("Value", ask="Which value?"),
    "role": Argument("Role", Integrity.OPERATOR),
    "person": Argument("Person", ask="Who?", choices=PEOPLE),
    "email": Argument("E-mail", ask="Whose address?"),
    "domain": Argument("Domain", ask="Which domain?", fill="profile.domain"),
    "members": Argument("Members", ask="Who?"),
    "body": Argument("Text", ask="What shall it say?"),
    "key": Argument("Key", secret=True, ask="What is the key?"),
    "enforced": Argument("Enforced"),
}
_PROPERTIES: Mapping[str, Mapping[str, JsonValue]] = {
    "name": NAME,
    "value": TEXT,
    "role": {"type": "string", "enum": ["member", "viewer", "admin"]},
    "person": {"type": "string", "maxLength": 2000},
    "email": {"type": "string", "format": "email"},
    "domain": {"type": "string", "maxLength": 2000},
    "members": {"type": "array", "items": {"type": "string", "maxLength": 2000}},
    "body": TEXT,
    "key": {"type": "string", "maxLength": 2000},
    "enforced": {"type": "boolean"},
}


def tool(name: str, title: str, tier: Tier, *must: str, **more: object) -> Manifest:
    """A writing tool; `more` are fields of the manifest, and `may`, arguments that may be left
    out."""
    may = more.pop("may", ())
    names = (*must, *may)  # type: ignore[misc]
    schema: dict[str, JsonValue] = {
        "type": "object",
        "properties": {each: dict(_PROPERTIES[each]) for each in names},
        "required": list(must),
        "additionalProperties": False,
    }
    given: dict[str, object] = {
        "name": name,
        "version": "1",
        "title": title,
        "summary": f"{title}.",
        "source": "python",
        "target": "shop",
        "schema": schema,
        "arguments": {each: LABELS[each] for each in names},
        "tier": tier,
        "effect": EffectClass.KEYED,
        "rights": frozenset({RIGHT}),
        "timeout_s": 5.0,
        **more,
    }
    return Manifest(**given)  # type: ignore[arg-type]


_LIFTED = {"admin_values": {"role": ("admin",)}, "bulk": "members"}
OFFERED = (
    tool("set_item", "Set an item", Tier.R1, "name", "value",
         may=("role", "members"), undo="It is set back.", **_LIFTED),
    tool("share_item", "Share an item", Tier.R2, "name", "email", "role", may=("person",)),
    tool("invite_person", "Invite a person", Tier.R2, "email", may=("role",), **_LIFTED),
    tool("connect_store", "Connect a store", Tier.R2, "name", "key"),
    tool("send_mail", "Send mail", Tier.R2, "email", "body", effect=EffectClass.ONCE),
    tool("remove_person", "Remove a person", Tier.R3, "person"),
    tool("set_sso", "Turn on single sign-on", Tier.R3, "domain", may=("enforced",)),
    tool("delete_items", "Delete items", Tier.R4, "members", bulk="members"),
)  # fmt: skip
WITHHELD = (
    tool("purge", "Purge", Tier.R1, "name", hidden=True),
    tool("grant_admin", "Make somebody an administrator", Tier.R3, "email",
         rights=frozenset({RIGHT, "admins:write"})),
    tool("beta_wipe", "Wipe", Tier.R1, "name", plans=frozenset({"beta"})),
)  # fmt: skip
"""For our own use, beyond the user's rights, and of another plan."""


@dataclass
class Host:
    """What strangers may have written into the product, by tenant, and who read it."""

    people: dict[str, list[dict[str, JsonValue]]] = field(default_factory=dict)
    profile: dict[str, JsonValue] = field(default_factory=dict)
    notes: dict[tuple[str, str], str] = field(default_factory=dict)
    readers: set[Principal] = field(default_factory=set)
    target: Target | None = None  # what the next look finds
    failure: RejectedError | None = None  # how the next deed fails
    result: dict[str, JsonValue] = field(default_factory=dict)


class ReadingTool:
    """Answers with what the host holds for this principal; anything else it does not know."""

    def __init__(self, host: Host, told: Manifest) -> None:
        self._host = host
        self._manifest = told

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    async def look(self, call: ToolCall, who: Principal) -> Target:
        return Target()

    async def run(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done:
        self._host.readers.add(who)
        match self._manifest.name:
            case "list_people":
                return Done({"data": list(self._host.people.get(who.tenant, []))})
            case "who_am_i":
                return Done(dict(self._host.profile))
            case _:
                note = self._host.notes.get((who.tenant, str(call.arguments["name"])))
                if note is None:
                    raise RejectedError("not_found")
                return Done({"note": note})

    async def read_back(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done | None:
        return None


class HostileTool(ShopTool):
    """A tool of the shop whose target, results and errors say what a stranger wrote."""

    def __init__(self, shop: Shop, host: Host, told: Manifest) -> None:
        super().__init__(shop, told)
        self._host = host

    @override
    async def look(self, call: ToolCall, _who: Principal) -> Target:
        return self._host.target or Target(label="shop")

    @override
    async def run(self, call: ToolCall, _who: Principal, attempt: Attempt) -> Done:
        if self._host.failure is not None:
            raise self._host.failure
        return await super().run(call, _who, attempt)

    @override
    def _effect(self, call: ToolCall, attempt: Attempt) -> Done:
        self.shop.ledger.append((attempt.action_id, call.tool, dict(call.arguments)))
        undo = ToolCall(call.tool, call.version, call.arguments)
        return Done(dict(self._host.result), attempt.action_id, undo=undo)


READING = (
    tool("list_people", "List people", Tier.R0),
    tool("read_note", "Read a note", Tier.R0, "name"),
    tool("who_am_i", "Who I am", Tier.R0, hidden=True),
)


def stocked(shop: Shop, host: Host) -> Registry:
    """Every tool there is."""
    writing = [HostileTool(shop, host, told) for told in (*OFFERED, *WITHHELD)]
    return Registry((*writing, *(ReadingTool(host, told) for told in READING)))
