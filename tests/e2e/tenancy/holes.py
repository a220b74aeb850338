"""Guards between tenants, people and pages that are no SQL, and what is asked when each is gone.

A question is answered by what went wrong; with all guards in place that is nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import qdrant_edge

from agent.copilot import Copilot
from agent.types import Draft
from agent.verification import Verifier
from api import identity, passages, receipts
from guardrails import stored
from retrieval import edge, filters, gateway, points, search, tags
from retrieval.access import PAGE, Access, MemoryRevocations, Revocation, Revoked
from retrieval.edge import EdgeIndex
from retrieval.index import OutsideScopeError
from retrieval.types import Labels, Scope
from tests.agent.shelf import evidence, grounding
from tests.contracts.conversations import NOON
from tests.contracts.index import DIMENSION, QUERY_TERMS, TAGS, dense, point, sparse
from tests.e2e.tenancy.cutting import Cut
from tests.e2e.tenancy.fuzz import words_of
from tests.e2e.tenancy.servers import ORIGIN, Server, staff_of
from tests.e2e.tenancy.stores import LEFT, MINE, THREAD, canaries, canary, page_of
from tests.retrieval.building import chunk_of
from tools.desk import ActionDesk


class Ground(NamedTuple):
    """Two servers over one index, and an empty folder for an index of its own."""

    here: Server
    there: Server
    folder: Path


Question = Callable[[Ground], Awaitable[list[str]]]


def _index(on: Ground, name: str) -> EdgeIndex:
    index = EdgeIndex.open(on.folder / name, dimension=DIMENSION, tags=TAGS(name), writable=True)
    mine = point(1, Labels("acme"))
    hidden = point(4, Labels("acme", plan=("pro",)))
    index.upsert([mine, hidden, point(7, Labels("globex"))])
    return index


async def finds_its_own(on: Ground) -> list[str]:
    """A search as everybody makes it."""
    index = _index(on, "own")
    try:
        found = index.search(dense(1), sparse(QUERY_TERMS), Scope("acme"), 9)
        hits = {hit.id for hit in (*found.dense, *found.sparse)}
        return sorted(hits - {point(1).id})
    except OutsideScopeError as alarm:
        return [str(alarm)]
    finally:
        index.close()


async def blind_store(on: Ground) -> list[str]:
    """A store that gives everything, whatever it was asked for."""
    index, whole = _index(on, "blind"), edge._filter
    edge._filter = lambda required: qdrant_edge.Filter()
    try:
        index.search(dense(1), sparse({}), Scope("acme"), 9)
    except OutsideScopeError:
        return []
    else:
        return ["nobody noticed"]
    finally:
        edge._filter = whole
        index.close()


async def other_version(on: Ground) -> list[str]:
    """Points of another version, as after files were copied; searched, and carried over."""
    index = _index(on, "version")
    index._gateway = gateway.Gateway(TAGS("another"))
    wrongs = []
    for ask in (
        lambda: index.search(dense(1), sparse({}), Scope("acme"), 9),
        lambda: list(index.vectors([point(1).id])),
        lambda: index.retag(TAGS("a third")),
    ):
        try:
            ask()
        except OutsideScopeError:
            continue
        wrongs.append("points of another version were taken")
    index.close()
    return wrongs


async def narrower_text(_on: Ground) -> list[str]:
    """The text store says that less may be seen than the index does."""
    hidden = chunk_of("secret", "Secret.", labels=Labels("acme", plan=("pro",)))
    return [chunk.id for chunk in filters.visible([hidden], Scope("acme"))]


async def revoked_page(_on: Ground) -> list[str]:
    rows, shown = MemoryRevocations(), chunk_of("guide", "A guide.")
    rows.revoke(Revocation("acme", PAGE, shown.path, NOON))
    rows.revoke(Revocation("acme", "plan", "beta", NOON))
    access, scope = Access(rows, lambda: 0.0), Scope("acme", {"plan": frozenset({"beta"})})
    beta = replace(shown, path="beta.md", labels=Labels("acme", plan=("beta",)))
    return [chunk.path for chunk in (shown, beta) if access.sees(scope, chunk)]


async def _got(server: Server, path: str, bearer: str, method: str = "GET") -> tuple[int, set[str]]:
    headers = {"authorization": f"Bearer {bearer}", "origin": ORIGIN} if bearer else {}
    found = await server.http.request(method, path, headers=headers)
    return found.status_code, words_of(found)


async def pages_of_others(on: Ground) -> list[str]:
    page = page_of(on.there.tenant)
    paths = (f"/v1/passages/{page.id.replace('#', '%23')}", f"/pages/{page.path}")
    got = [await _got(on.here, path, on.here.credential) for path in paths]
    return [str(found) for found in got if found[0] != 404]


async def staff_of_others(on: Ground) -> list[str]:
    paths = ("/v1/me/export", "/v1/actions", "/v1/audit", "/v1/decisions", "/v1/receipts")
    got = [await _got(on.here, path, staff_of(on.there.tenant)) for path in paths]
    return [str(found) for found in got if found[0] != 401]


async def threads_of_others(on: Ground) -> list[str]:
    got = [
        await _got(on.here, path, bearer)
        for thread in (THREAD, MINE)
        for path in (
            f"/v1/conversations/{thread}",
            f"/v1/agui/threads/{thread}/events?follow=false",
        )
        for bearer in (on.here.stranger, "")
    ]
    return [str(found) for found in got if found[0] < 400 or found[1]]


async def actions_of_others(on: Ground) -> list[str]:
    paths = (f"/v1/actions/{LEFT}", f"/v1/approvals/{LEFT}", "/v1/receipts/rcpt_1")
    got = [await _got(on.here, path, on.here.stranger) for path in paths]
    return [str(found) for found in got if found[0] != 404]


async def an_answer(on: Ground) -> list[str]:
    """From the own pages alone, and there is one."""
    message = {"id": "m", "role": "user", "content": "How do I invite people?"}
    body = {"threadId": f"h{id(message)}", "runId": "r", "messages": [message]}
    found = await on.here.http.post("/v1/agui", json=body)
    said = canaries(found.text)
    own = {canary(on.here.tenant, "pages")}
    return [] if said == own else [f"said {sorted(said)} in {found.text[-300:]}"]


async def revoked_meanwhile(_on: Ground) -> list[str]:
    """What is drafted of a page that may not be shown any more."""
    check = Verifier(grounding(), evidence(0), lambda _: False)
    said = check.check(Draft(stored("Admins can invite up to 50 people at once."), (1,)))
    return [unit.text for unit in said]


QUESTIONS: Sequence[Question] = (
    revoked_meanwhile,
    finds_its_own,
    blind_store,
    other_version,
    narrower_text,
    revoked_page,
    pages_of_others,
    staff_of_others,
    threads_of_others,
    actions_of_others,
    an_answer,
)
HOLES: Sequence[tuple[tuple[Cut, ...], Question]] = (
    ((Cut(filters.clauses, "[tenant_clause(scope.tenant)]", "[]"),), finds_its_own),
    ((Cut(filters.clauses, "not scope.unrestricted", "False"),), finds_its_own),
    ((Cut(edge._filter, "required", "()"),), finds_its_own),
    ((Cut(gateway.Gateway._objection, "not clause.admits(payload)", "False"),), blind_store),
    ((Cut(gateway.Gateway.admit, "dropped", "0"),), blind_store),
    ((Cut(gateway.Gateway._objection, "self.tags.holds(payload)", "True"),), other_version),
    ((Cut(tags.Tags.tag, "self.version", "''"),), other_version),
    ((Cut(points.point_of, "not tags.holds(payload)", "False"),), other_version),
    ((Cut(EdgeIndex.retag, "not before.holds(payload)", "False"),), other_version),
    ((Cut(filters.Clause.admits, "not self.values.isdisjoint(held)", "True"),), narrower_text),
    ((Cut(Revoked.applied, "chunk.path in self.pages", "False"),), revoked_page),
    ((Cut(Revoked._left, "value not in self.labels[name]", "True"),), revoked_page),
    ((Cut(Access.sees, "left is not None and any(visible([left], scope))", "True"),), revoked_page),
    (
        (
            Cut(passages._passage, "viewer.tenant", "'there'"),
            Cut(passages._passage, "visible(chunks, viewer)", "chunks"),
        ),
        pages_of_others,
    ),
    (
        (
            Cut(passages._page, "viewer.tenant", "'there'"),
            Cut(passages._page, "visible(chunks, viewer)", "chunks"),
        ),
        pages_of_others,
    ),
    ((Cut(identity.caller_of, "actor.tenant != context.tenant", "False"),), staff_of_others),
    ((Cut(Copilot.conversation, "found.subject == _subject(actor)", "True"),), threads_of_others),
    (
        (Cut(receipts._one, "actor.staff or shown.concerns(actor.subject)", "True"),),
        actions_of_others,
    ),
    (
        (Cut(ActionDesk._theirs, "action.who == actor.principal", "True"),),
        actions_of_others,
    ),
    ((Cut(search.found, "visible(stored, scope)", "()"),), an_answer),
    ((Cut(Verifier._permitted, "not self._sees(self._chunks[m])", "False"),), revoked_meanwhile),
)
"""Each takes one guard away, and the question must then be answered otherwise than with nothing."""
