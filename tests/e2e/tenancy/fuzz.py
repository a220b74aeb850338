"""Requests to every route of the OpenAPI document, by callers of this tenant, of others and of
none, with ids of other tenants guessed right: whose words come back."""

from __future__ import annotations

import asyncio
import base64
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

import httpx

from tests.e2e.tenancy.guided import DECISION, ana
from tests.e2e.tenancy.servers import ORIGIN, Server, staff_of
from tests.e2e.tenancy.stores import (
    LEFT,
    MINE,
    SUBJECT,
    THREAD,
    action_of,
    canaries,
    canary,
    page_of,
)
from tests.onboarding.interventions.making import message

METHODS = ("get", "post", "put", "delete")
AT_ONCE = 6
RARE = 200
"""Of so many own erasures and sign-outs one is carried out: after it a tenant has less to tell."""
ENDING = ("/v1/me", "/v1/subjects", "/v1/sessions")
PROBES = ("get /readyz", "get /startupz")
FAULT, NOT_READY = 500, 503
SHOWN = 300
KINDS = {"person": 3, "staff": 2, "their person": 1, "their staff": 1, "nobody": 1}
"""Callers, and how often they come."""
_CODED = re.compile(r"[A-Za-z0-9_-]{40,}")


class Asked(NamedTuple):
    """One request and its answer. `own` when the caller is this tenant's."""

    route: str
    own: bool
    status: int
    text: str
    words: frozenset[str]
    foreign: frozenset[str]


@dataclass
class Found:
    """`leaks` are answers with words of anybody who is not this tenant, or of its people to others;
    `own` are the routes that said a word of their own people to them. `broken` are answers of 500
    and above, but for probes that say what is not ready."""

    requests: int = 0
    routes: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    leaks: list[Asked] = field(default_factory=list)
    broken: list[Asked] = field(default_factory=list)

    def add(self, asked: Asked) -> None:
        self.requests += 1
        self.routes.add(asked.route)
        self.statuses[asked.status] += 1
        if asked.own and asked.words:
            self.own.add(asked.route)
        if asked.foreign:
            self.leaks.append(asked)
        if asked.status >= FAULT and not (asked.route in PROBES and asked.status == NOT_READY):
            self.broken.append(asked)

    def take(self, other: Found) -> None:
        self.requests += other.requests
        self.routes |= other.routes
        self.own |= other.own
        self.statuses += other.statuses
        self.leaks += other.leaks
        self.broken += other.broken


class Fuzz:
    """Seeded: the same requests for the same seed, but for what the servers name themselves."""

    def __init__(self, servers: Sequence[Server], tenants: Sequence[str], seed: int) -> None:
        self._servers, self._tenants, self._rng = servers, tenants, Random(seed)
        self._operations = list(_operations(servers[0].app.openapi()))
        self._runs = 0

    async def run(self, requests: int) -> Found:
        found, gate = Found(), asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> None:
            async with gate:
                found.add(await self._ask(number))

        async with asyncio.TaskGroup() as group:
            for number in range(requests):
                group.create_task(one(number))
        return found

    async def _ask(self, number: int) -> Asked:
        """Every operation in its turn, so that none is left out."""
        rng, (method, route) = self._rng, self._operations[number % len(self._operations)]
        server = rng.choice(self._servers)
        other = rng.choice((server.tenant, *rng.sample(self._tenants, 2)))
        own, headers = self._caller(server)
        if own and method == "delete" and route.startswith(ENDING) and rng.randrange(RARE):
            own, headers = False, {}
        response = await server.http.request(
            method,
            self._filled(route, other),
            headers=headers,
            params={"follow": "false", "limit": "100"} if method == "get" else None,
            json=self._body(route, number) if method in {"post", "put"} else None,
        )
        said = words_of(response)
        allowed = {canary(server.tenant, "pages")} | ({canary(server.tenant)} if own else set())
        return Asked(
            f"{method} {route}",
            own,
            response.status_code,
            response.text[:SHOWN],
            frozenset(said & {canary(server.tenant)}),
            frozenset(said - allowed),
        )

    def _caller(self, server: Server) -> tuple[bool, dict[str, str]]:
        """Whether it is this tenant's, and what it sends."""
        rng = self._rng
        elsewhere = rng.choice([each for each in self._servers if each is not server])
        (kind,) = rng.choices(list(KINDS), list(KINDS.values()))
        tokens = {
            "person": server.credential,
            "staff": staff_of(server.tenant),
            "their person": elsewhere.credential,
            "their staff": staff_of(elsewhere.tenant),
        }
        bearer = {"authorization": f"Bearer {tokens[kind]}"} if kind in tokens else {}
        return kind in {"person", "staff"}, {**bearer, "origin": ORIGIN}

    def _filled(self, route: str, other: str) -> str:
        page, rng = page_of(other), self._rng
        values = {
            "thread_id": rng.choice((THREAD, MINE)),
            "action_id": rng.choice((action_of(other), LEFT)),
            "chunk_id": page.id.replace("#", "%23"),
            "path": page.path,
            "receipt_id": f"rcpt_{rng.randint(1, 3)}",
            "subject": SUBJECT,
            "erasure_id": action_of(other),
            "connector": "shop",
            "decision": DECISION,
            "action": "connect",
            "guide": "connect-source@1",
            "name": "role",
            "question": "role",
            "delivery": first_of(other),
            "token": "t",
        }
        return re.sub(r"\{(\w+)\}", lambda name: values[name.group(1)], route)

    def _body(self, route: str, number: int) -> Any:
        if route == "/v1/agui":
            text = self._rng.choice(("How do I invite people?", "What does the link work for?"))
            message = {"id": f"m{number}", "role": "user", "content": text}
            thread = self._rng.choice((THREAD, MINE, f"n{number}"))
            return {"threadId": thread, "runId": f"r{number}", "messages": [message]}
        if route.endswith("/decision"):
            return {"digest": "x", "decision": "deny"}
        if route.endswith("/resolve"):
            return {"outcome": "succeeded"}
        return self._guided(route, number)

    def _guided(self, route: str, number: int) -> Any:
        """What a page tells of its person, and what they say to what they are shown."""
        event = {"type": "track", "event": "Dashboard Created", "userId": SUBJECT}
        wish = {"topic": "kind/tips", "wish": "never"}
        bodies = {
            "/v1/events": {"batch": [{**event, "messageId": f"f{number}"}]},
            "/v1/batch": {"batch": [{**event, "messageId": f"g{number}"}]},
            "/v1/track": {**event, "messageId": f"h{number}"},
            "/v1/identify": {"userId": SUBJECT, "messageId": f"i{number}"},
            "/v1/me/consents": {
                "textVersion": "c-1",
                "said": [{"purpose": "product_analytics", "given": True}],
            },
            "/v1/me/next-steps/{decision}/{action}": {"outcome": "seen"},
            "/v1/me/mode": {"mode": "advanced"},
            "/v1/me/profile/{name}": {"value": "developer"},
            "/v1/me/profile/{name}/inference": {"allowed": True},
            "/v1/me/profile/{name}/question": {"allowed": True},
            "/v1/me/personalisation": {"on": True},
            "/v1/me/questions/{question}": {"session": "s1"},
            "/v1/me/presence": {"typing": True},
            "/v1/me/messages/wishes": {"said": [wish]},
            "/v1/me/messages/{delivery}/touch": {"what": "seen"},
        }
        return bodies.get(route, {})


def first_of(tenant: str) -> str:
    """The id of a message that another tenant's person got."""
    return message(person=ana(tenant)).id


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for route, methods in document["paths"].items():
        yield from ((method, route) for method in METHODS if method in methods)


def words_of(response: httpx.Response) -> set[str]:
    """Canaries in body and headers, also in what is base64url there, as receipts are."""
    text = f"{response.headers}\n{response.text}"
    coded = b""
    for run in set(_CODED.findall(text)):
        with suppress(ValueError):
            coded += base64.urlsafe_b64decode(run + "=" * (-len(run) % 4))
    return canaries(text, coded)
