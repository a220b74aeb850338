"""The vocabulary of acting: who acts, what a tool is, one call, its card, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Literal, NamedTuple

from pydantic import JsonValue

from guardrails.labels import Integrity

Arguments = Mapping[str, JsonValue]
"""Arguments of a call by name; JSON without floats, which have no canonical form."""


class Tier(IntEnum):
    """How much a call can do wrong; decides who approves, with how fresh a sign-in."""

    R0 = 0  # reads
    R1 = 1  # reversible, the user's own
    R2 = 2  # reversible, shared with others
    R3 = 3  # identity and security
    R4 = 4  # irreversible, bulk, or leaving the product

    @property
    def risk(self) -> str:
        """The word on the wire: read, write, sensitive or destructive."""
        return ("read", "write", "write", "sensitive", "destructive")[self]


class EffectClass(StrEnum):
    """What a call that may or may not have happened allows."""

    KEYED = "K"  # the target takes an idempotency key: send it again with the same key
    NATURAL = "N"  # a natural key or PUT: sending it again changes nothing
    READ_BACK = "R"  # look whether it happened, then send it again
    ONCE = "O"  # never again: a person decides


class Principal(NamedTuple):
    """Whose rights a call uses. Ids are opaque, never an e-mail address."""

    tenant: str
    subject: str
    account: str


@dataclass(frozen=True, slots=True)
class Actor:
    """A signed-in person. `rights` are the host product's own names of permissions."""

    principal: Principal
    rights: frozenset[str]
    role: str = ""
    plan: str = ""
    auth_time: datetime | None = None  # of the sign-in; None counts as too long ago
    staff: bool = False

    @property
    def tenant(self) -> str:
        return self.principal.tenant

    @property
    def subject(self) -> str:
        return self.principal.subject


@dataclass(frozen=True, slots=True)
class Choices:
    """A reading tool whose result lists what the argument may be.

    `items` is the RFC 6901 pointer of the list in the result, `value` and `label` the names of the
    fields that are sent and shown. An item is taken only when the user named or picked it.
    """

    tool: str
    items: str
    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Argument:
    """What the policy says of one argument, beside its JSON Schema.

    `integrity` is the least trust that its value needs. A `secret` is never shown, not even on the
    card. `ask` is the question that gets it from the user; `hint` what an answer looks like.
    """

    label: str
    integrity: Integrity = Integrity.USER_TYPED
    secret: bool = False
    ask: str = ""
    hint: str = ""
    kind: str = ""  # extractor that finds it in text: email, domain, date, url, connector, ...
    fill: str = ""  # a fact that it may be inferred from, such as `profile.email_domain`
    choices: Choices | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """One tool as configured: without an entry a tool does not exist.

    `version` changes with anything that changes what a call means. `schema` is the JSON Schema
    (2020-12) of the arguments, an object; what else is needed once one is known stands in `allOf`
    with `if` and `then`. `target` names what the circuit breaker counts.
    `undo` tells the user how it is undone; empty means that it cannot be, which the card says.
    `phrases` are things that a user says to want this; documentation, not training data.
    """

    name: str
    version: str
    title: str  # imperative, such as "Invite people"
    summary: str
    source: str  # python | openapi:ID | mcp:ID | flow
    target: str
    schema: Mapping[str, JsonValue]
    arguments: Mapping[str, Argument]
    tier: Tier
    effect: EffectClass
    rights: frozenset[str] = frozenset()
    undo: str = ""
    phrases: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()  # doc paths or words whose answers may offer this tool
    bulk: str = ""  # the argument whose length counts targets
    admin_values: Mapping[str, tuple[JsonValue, ...]] = field(default_factory=dict)
    """Values, by argument, that lift the tier by one: administrator roles and the like."""
    retry_for_s: float = 0.0
    """How long a scheduled retry may go on; printed on the card. 0: only quick retries."""
    timeout_s: float = 10.0
    remedies: Mapping[str, str] = field(default_factory=dict)
    """Failure code -> tool that may be offered then; `*` for any other code."""
    plans: frozenset[str] = frozenset()  # on which it is offered; empty: on every plan
    hidden: bool = False  # exists for our own use, such as a compensator; offered to nobody

    @property
    def reads_only(self) -> bool:
        return self.tier is Tier.R0


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool of one version, and its arguments as they would be sent."""

    tool: str
    version: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Target:
    """The present state of what a call would change. UNTRUSTED text: shown, never obeyed.

    `etag` is the host's own version of it, else a hash of `state`; None when nothing is there yet.
    """

    state: Mapping[str, JsonValue] = field(default_factory=dict)
    etag: str | None = None
    label: str = ""
    steps: tuple[str, ...] = ()  # of a flow: what would be done, in order; goes onto the card
    notes: tuple[str, ...] = ()  # what a person should know before; goes onto the card


@dataclass(frozen=True, slots=True)
class CardField:
    """One line of the card. `value` is the argument as text, exactly; `before` what stands now.

    `origin` says where an inferred value was taken from; empty when the user gave it.
    """

    name: str
    label: str
    value: str
    before: str | None = None
    origin: str = ""
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """What a person approves, rendered by code alone.

    `count` is how many targets are touched; from 2 on `list_hash` commits to which.
    """

    title: str
    fields: tuple[CardField, ...]
    tier: Tier
    count: int = 1
    list_hash: str = ""
    who: str = ""  # for whom and where: account and target, in words
    undo: str = ""  # empty: cannot be undone
    notes: tuple[str, ...] = ()  # warnings; how long a retry may go on
    steps: tuple[str, ...] = ()  # of a flow: what will be done, in order


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of an approved action. The action id is the idempotency key of every try."""

    action_id: str
    number: int  # from 1
    fence: int
    etag: str | None = None  # the state that was approved
    resumed: bool = False  # an earlier try may have had its effect
    before: Mapping[str, JsonValue] | None = None
    """`Target.state` as approved, for the undo; None where it was not kept."""


@dataclass(frozen=True, slots=True)
class Done:
    """The effect happened. `effect_ref` is the target's own opaque id of it."""

    result: Mapping[str, JsonValue]
    effect_ref: str = ""
    etag: str | None = None  # after the effect; the undo expects it
    undo: ToolCall | None = None
    already: bool = False  # it had been done before: a success


@dataclass(frozen=True, slots=True)
class OpenItem:
    """Work that a tool left to be done. `after_s`: seconds after it at which to say so again."""

    id: str
    title: str
    why: str
    risk: Literal["high", "medium", "low"]
    after_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long action is, for the person who waits."""

    action_id: str
    at: datetime
    state: str
    step: str = ""
    done: int = 0
    of: int = 0
    detail: str = ""
    next_try: datetime | None = None
