"""Edges: who did what, with whom, and what it led to; and the paths that are asked for.

    user   --member_of--> account   --has_member--> user
    user   --finished-->  step      --finished_by--> user
    user   --has_role-->  role
    user   --hit-->       error     --in--> integration
    user   --denied-->    right
    error  --solved_by--> action    --for--> integration
    step   --cites-->     page
    account --open_to-->  domain    --of_domain--> user
    user   --holds-->     belief

What lasts, such as membership, is one edge with its earliest event; what is counted, such as hits,
is an edge an event. Either way adding it again adds nothing. A path leads along relations by name,
at most three; both ways of a relation are edges of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from guardrails.consent import Purpose

MOST_HOPS: Final = 3
WIDEST: Final = 2000
"""Edges that a path of one hop reads, the newest: a hub, such as a frequent error, is no slower
than any other node, and what helped lately counts."""
INVERSE: Final = {
    "member_of": "has_member",
    "finished": "finished_by",
    "open_to": "of_domain",
}
"""Relations that are asked for both ways."""
LASTING: Final = frozenset({*INVERSE, *INVERSE.values(), "has_role", "uses", "in"})
"""Relations that are once true of two nodes, however many events show them."""


SINGLE: Final = frozenset({"has_role"})
"""Of these a person has one at a time: the newer ends the older."""


class Kind(StrEnum):
    """What a node is; it stands before the colon of the node's id."""

    USER = "user"
    ACCOUNT = "account"
    ROLE = "role"
    FEATURE = "feature"
    INTEGRATION = "integration"
    STEP = "step"
    ACTION = "action"
    PAGE = "page"
    ERROR = "error"
    BELIEF = "belief"
    DOMAIN = "domain"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Edge:
    """`evidence` is the id of the one event that shows it; `subject` whose it is."""

    tenant: str
    src: str
    rel: str
    dst: str
    evidence: str
    valid_from: datetime
    subject: str | None = None
    purpose: Purpose = Purpose.PRODUCT_ANALYTICS
    confidence: float = 1.0
    valid_to: datetime | None = None


class End(NamedTuple):
    """A node that a path ends in: by how many people's edges of the last hop, and two of the events
    that show them."""

    node: str
    people: int
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """From `start` along `rels`; only edges that serve `purposes` and hold at `now`, in each hop.
    With `to` the last hop leads there, and the ends are the nodes that it leads from. Raises
    ValueError for none or more than three hops."""

    start: str
    rels: tuple[str, ...]
    now: datetime
    to: str | None = None
    purposes: frozenset[Purpose] = frozenset({Purpose.PRODUCT_ANALYTICS})
    limit: int = 20
    widest: int = WIDEST

    def __post_init__(self) -> None:
        if not 1 <= len(self.rels) <= MOST_HOPS:
            raise ValueError(f"a path has 1 to {MOST_HOPS} hops, not {len(self.rels)}")


class GraphStore(Protocol):
    """Raises StoreUnavailableError."""

    async def add(self, tenant: str, edges: Sequence[Edge]) -> int:
        """How many are new. What lasts keeps its earliest event, and is open again when an event
        comes after its end. Raises ValueError for what is of another tenant or no reference."""
        ...

    async def walk(self, tenant: str, path: Route) -> tuple[End, ...]:
        """Ends that most people lead to first; those equal by id."""
        ...

    async def end(self, tenant: str, subject: str, rel: str, dst: str, at: datetime) -> int:
        """From `at` on the subject's edges of this relation to this node hold no more."""
        ...

    async def shown_by(self, tenant: str, event: str) -> tuple[Edge, ...]:
        """Edges that an event is the evidence of."""
        ...

    async def of(self, tenant: str, subject: str) -> tuple[Edge, ...]: ...

    async def withdraw(self, tenant: str, subject: str, purpose: Purpose) -> int: ...

    async def erase(self, tenant: str, subject: str) -> int:
        """Edges of the subject, those that others lead to them by, and their node."""
        ...

    async def count(self, tenant: str, subject: str) -> int: ...

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = 500
    ) -> int: ...

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int: ...


def node(kind: Kind, name: str) -> str:
    return f"{kind.value}:{name}"


def name_of(node_id: str) -> str:
    return node_id.partition(":")[2]


def key_of(edge: Edge) -> str:
    """What tells edges of one relation between two nodes apart: the event, or the purpose alone
    where the relation lasts."""
    return edge.purpose.value if edge.rel in LASTING else edge.evidence


def inverses(edges: Iterable[Edge]) -> list[Edge]:
    """The edges, and their other ways."""
    every = list(edges)
    turned = [
        replace(edge, src=edge.dst, rel=INVERSE[edge.rel], dst=edge.src)
        for edge in every
        if edge.rel in INVERSE
    ]
    return every + turned


def error_node(code: str, integration: str | None) -> str:
    return node(Kind.ERROR, code if integration is None else f"{integration}/{code}")


@dataclass(frozen=True, slots=True)
class Invites:
    """Whom to invite next: roles that nobody of the account has yet, and people of its domain who
    are no members."""

    roles: tuple[str, ...] = ()
    people: tuple[str, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Team:
    """What the graph knows of one account: of those alone who consented. By name: who has a role,
    was refused an operation, has finished a step. `near` are others of the company's domain."""

    members: int = 0
    roles: Mapping[str, End] = field(default_factory=lambda: MappingProxyType({}))
    denied: Mapping[str, End] = field(default_factory=lambda: MappingProxyType({}))
    finished: Mapping[str, End] = field(default_factory=lambda: MappingProxyType({}))
    near: tuple[End, ...] = ()


class GraphQueries:
    """The questions that the graph is there for."""

    def __init__(self, store: GraphStore) -> None:
        self._store = store

    async def who_finished(
        self, tenant: str, user: str, step: str, now: datetime
    ) -> tuple[str, ...]:
        """Colleagues who have finished the step that somebody is stuck on."""
        me, target = node(Kind.USER, user), node(Kind.STEP, step)
        way = ("member_of", "has_member", "finished")
        ends = await self._store.walk(tenant, Route(me, way, now, to=target))
        return tuple(name_of(end.node) for end in ends if end.node != me)

    async def whom_to_invite(
        self, tenant: str, account: str, roles: Sequence[str], now: datetime
    ) -> Invites:
        """`roles` are those that the account's next steps need, the most needed first."""
        start = node(Kind.ACCOUNT, account)
        have = await self._store.walk(
            tenant, Route(start, ("has_member", "has_role"), now, limit=WIDEST)
        )
        held = {name_of(end.node) for end in have}
        members = await self._store.walk(tenant, Route(start, ("has_member",), now, limit=WIDEST))
        near = await self._store.walk(
            tenant, Route(start, ("has_member", "open_to", "of_domain"), now, limit=WIDEST)
        )
        known = {end.node for end in members}
        people = tuple(name_of(end.node) for end in near if end.node not in known)
        return Invites(tuple(role for role in roles if role not in held), people)

    async def team(self, tenant: str, account: str, now: datetime) -> Team:
        """What is known of an account before somebody is invited to it: four paths of two hops, one
        of three."""
        start = node(Kind.ACCOUNT, account)

        async def ends(*rels: str) -> tuple[End, ...]:
            return await self._store.walk(tenant, Route(start, rels, now, limit=WIDEST))

        members = await ends("has_member")
        known = {end.node for end in members}
        near = await ends("has_member", "open_to", "of_domain")
        return Team(
            members=len(members),
            roles=by_name(await ends("has_member", "has_role")),
            denied=by_name(await ends("has_member", "denied")),
            finished=by_name(await ends("has_member", "finished")),
            near=tuple(end for end in near if end.node not in known),
        )

    async def what_solved(
        self, tenant: str, code: str, integration: str | None, now: datetime
    ) -> tuple[End, ...]:
        """Actions that ended this error in this integration, by how many people they helped."""
        return await self._store.walk(
            tenant, Route(error_node(code, integration), ("solved_by",), now)
        )

    async def pages_cited(self, tenant: str, step: str, now: datetime) -> tuple[End, ...]:
        """Pages that solved conversations on this step cited."""
        both = frozenset({Purpose.SUPPORT, Purpose.PRODUCT_ANALYTICS})
        return await self._store.walk(
            tenant, Route(node(Kind.STEP, step), ("cites",), now, purposes=both)
        )


def by_name(ends: Iterable[End]) -> dict[str, End]:
    return {name_of(end.node): end for end in ends}
