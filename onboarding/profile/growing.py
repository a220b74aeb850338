"""event -> edges, by a file of rules: the graph grows event by event, and the same event twice adds
nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal

from pydantic import Field, JsonValue

from guardrails.consent import Consents, Purpose
from onboarding.profile.catalogue import EventName, FieldName, Name, Strict
from onboarding.profile.domains import domain_class
from onboarding.profile.graph import Edge, Kind, error_node, inverses, node
from onboarding.rules import Duration, read_data
from onboarding.types import Event, Fact

Relation = Literal[
    "finished", "has_role", "hit", "in", "cites", "uses", "open_to", "solved_by", "for", "denied"
]


class EdgeRule(Strict):
    """An event of this name leads from its user, its account, or a field's value to a field's value
    or to a name that stands here; for so long, where `lasts` says it. Of a mail domain the node
    holds a hash, and those of free providers lead nowhere."""

    event: EventName
    rel: Relation
    src: Literal["user", "account"] | FieldName = "user"
    src_kind: Kind | None = None
    dst_kind: Kind
    field: FieldName | None = None
    name: Name | None = None
    lasts: Duration | None = None


class GraphFile(Strict):
    """Which events are edges. `solves`: an event of success, and the error that it may end."""

    version: Literal[1]
    edges: tuple[EdgeRule, ...]
    solves: Mapping[EventName, tuple[EventName, ...]] = Field(default_factory=dict)
    action: FieldName = "action"
    code: FieldName = "error_code"
    integration: FieldName = "connector"
    solved_within_h: int = Field(default=24, ge=1)


def load_graph(path: Path | None = None) -> GraphFile:
    """The shipped file when none is given. Raises DataFileError."""
    if path is not None:
        return read_data(path).parse(GraphFile)
    with as_file(files("onboarding.profile") / "definitions" / "graph.yaml") as shipped:
        return read_data(shipped).parse(GraphFile)


def edges_of(event: Event, spec: GraphFile, consents: Consents) -> list[Edge]:
    """Nothing without consent to product analytics, or of nobody."""
    if event.user is None or not consents.allows(Purpose.PRODUCT_ANALYTICS):
        return []
    fields = {
        name: value
        for name, value in event.serving(Purpose.PRODUCT_ANALYTICS).items()
        if consents.allows(Purpose.PRODUCT_ANALYTICS, name)
    }
    found = []
    if event.account is not None:
        found.append(_edge(event, _user(event), "member_of", node(Kind.ACCOUNT, event.account)))
    for rule in spec.edges:
        ends = _ends(rule, event, fields) if rule.event == event.name else None
        if ends is not None:
            edge = _edge(event, ends[0], rule.rel, ends[1])
            over = None if rule.lasts is None else event.occurred_at + rule.lasts
            found.append(replace(edge, valid_to=over))
    if any(event.name in errors for errors in spec.solves.values()):
        found += _errors(event, spec, fields)
    return inverses(found)


def solved(event: Event, earlier: Sequence[Event], spec: GraphFile) -> list[Edge]:
    """What this success of a person ended: the newest error of theirs before it. `earlier` are
    events of the same person, oldest first."""
    ends = spec.solves.get(event.name, ())
    since = event.occurred_at - timedelta(hours=spec.solved_within_h)
    for error in reversed(earlier):
        if error.occurred_at < since or event.user is None:
            break
        if error.name in ends and error.occurred_at <= event.occurred_at:
            fields = error.serving(Purpose.PRODUCT_ANALYTICS)
            action = event.serving(Purpose.PRODUCT_ANALYTICS).get(spec.action) or event.name
            src = _error(error, spec, fields)
            return [_edge(event, src, "solved_by", node(Kind.ACTION, _plain(action)))]
    return []


def edges_of_belief(fact: Fact) -> list[Edge]:
    """A belief and the events that it rests on."""
    ends = node(Kind.USER, fact.subject), node(Kind.BELIEF, f"{fact.name}={fact.value}")
    return [
        Edge(
            *(fact.tenant, ends[0], "holds", ends[1], event, fact.valid_from, fact.subject),
            confidence=fact.confidence,
            valid_to=fact.expires,
        )
        for event in fact.evidence
    ]


def _edge(event: Event, src: str, rel: str, dst: str) -> Edge:
    return Edge(event.tenant, src, rel, dst, event.message_id, event.occurred_at, event.user)


def _user(event: Event) -> str:
    return node(Kind.USER, event.user or "")


def _ends(rule: EdgeRule, event: Event, fields: Mapping[str, JsonValue]) -> tuple[str, str] | None:
    src = _source(rule, event, fields)
    to = rule.name if rule.name is not None else fields.get(rule.field or "")
    if src is None or to is None or to == "":
        return None
    name = _domain(event.tenant, str(to)) if rule.dst_kind is Kind.DOMAIN else _plain(to)
    return None if name is None else (src, node(rule.dst_kind, name))


def _domain(tenant: str, domain: str) -> str | None:
    """Not to be read back, and another in every tenant; None where strangers share it."""
    if domain_class(domain) == "free":
        return None
    return sha256(f"{tenant}\x00{domain.strip().lower()}".encode()).hexdigest()[:32]


def _source(rule: EdgeRule, event: Event, fields: Mapping[str, JsonValue]) -> str | None:
    if rule.src == "user":
        return _user(event)
    if rule.src == "account":
        return None if event.account is None else node(Kind.ACCOUNT, event.account)
    value = fields.get(rule.src)
    return None if value is None or rule.src_kind is None else node(rule.src_kind, _plain(value))


def _errors(event: Event, spec: GraphFile, fields: Mapping[str, JsonValue]) -> list[Edge]:
    error = _error(event, spec, fields)
    found = [_edge(event, _user(event), "hit", error)]
    if spec.integration in fields:
        there = node(Kind.INTEGRATION, _plain(fields[spec.integration]))
        found.append(_edge(event, error, "in", there))
    return found


def _error(event: Event, spec: GraphFile, fields: Mapping[str, JsonValue]) -> str:
    """An error of one integration is not that of another."""
    code = _plain(fields.get(spec.code) or event.name)
    there = fields.get(spec.integration)
    return error_node(code, None if there is None else _plain(there))


def _plain(value: JsonValue) -> str:
    """Names of events hold blanks; ids of nodes do not."""
    return str(value).strip().replace(" ", "_")[:150]
