"""People of a workspace in Harbor who talk to the product, each with words that stand nowhere else.

A person gives their name, an address and a key, has a dashboard made, and leaves a card open.
Their page tells what they do; they are shown next steps, correct what is thought of them,
and say no.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.api.acting import interrupts
from tests.api.serving import Frame, parse
from tests.harbor.running import Harbor

AT_ONCE = 8
PASSWORD = "correct horse 9 battery"


@dataclass(slots=True)
class Person:
    """`thread` is theirs to choose, so it may say something of them."""

    number: int
    subject: str
    token: str
    name: str = field(default_factory=lambda: f"Quill{_word()}")
    mailbox: str = field(default_factory=lambda: f"box{_word()}")
    key: str = field(default_factory=lambda: f"sk_live_{secrets.token_hex(16)}")
    board: str = field(default_factory=lambda: f"Grün{_word()}")
    pending: str = field(default_factory=lambda: f"Offen{_word()}")
    thread: str = field(default_factory=lambda: f"th-{_word()}")
    visitor: str = field(default_factory=lambda: f"visitor-{_word()}")
    clicked: str = field(default_factory=lambda: f"knopf-{_word()}")
    broken: str = field(default_factory=lambda: f"kaputt-{_word()}")
    client: httpx.AsyncClient | None = None
    turns: int = 0

    @property
    def canaries(self) -> tuple[str, ...]:
        said = (self.name, self.mailbox, self.key, self.board, self.pending, self.thread)
        return (*said, *self.told, self.broken)

    @property
    def told(self) -> tuple[str, ...]:
        """What events say in the clear; `broken` fits no contract and is sealed."""
        return (self.visitor, self.clicked)

    @property
    def trusting(self) -> bool:
        """Whether they say that they need not be asked again."""
        return self.number % 3 == 0

    @property
    def busy(self) -> bool:
        """Whether they want a second dashboard."""
        return self.number % 8 in {0, 1, 2, 3}

    @property
    def http(self) -> httpx.AsyncClient:
        assert self.client is not None
        return self.client

    async def run(self, **body: Any) -> list[Frame]:
        self.turns += 1
        sent = {"threadId": self.thread, "runId": f"r{self.turns}", "messages": [], **body}
        response = await self.http.post("/v1/agui", json=sent)
        assert response.status_code == 200, response.text
        return parse(response.text)

    async def says(self, text: str) -> list[Frame]:
        message = {"id": f"u{self.turns + 1}", "role": "user", "content": text}
        return await self.run(messages=[message])

    async def approves(self, frames: Sequence[Frame], *, always: bool = False) -> list[Frame]:
        (card,) = interrupts(list(frames))
        payload = {"approved": True, "always": always}
        entry = {"interruptId": card["id"], "status": "resolved", "payload": payload}
        return await self.run(resume=[entry])

    async def lives(self) -> None:
        """Everything that leaves something behind."""
        await self.says(
            f"I am {self.name}, mail {self.mailbox}@example.com, key {self.key}. "
            "How do I invite teammates?"
        )
        card = await self.says(f'Create a dashboard called "{self.board}"')
        done = await self.approves(card, always=self.trusting)
        assert done[-1].type == "RUN_FINISHED", done[-1].data
        await self.is_guided()
        if self.busy:
            left = await self.says(f'Create a dashboard called "{self.pending}"')
            assert len(interrupts(left)) == (0 if self.trusting else 1)

    async def is_guided(self) -> None:
        """With consent: events, next steps, a fact of their own, wishes."""
        said = [{"purpose": "product_analytics", "given": True}]
        await self.asks("PUT", "/v1/me/consents", textVersion="c-1", said=said)
        taken = await self.sends(
            {"type": "identify", "anonymousId": self.visitor, "traits": {"role": "editor"}},
            self.track("dead_click", element=self.clicked, clicks=2),
            *(self.track("Import Failed", mode="full", error_code="E1") for _ in range(3)),
            self.track("dead_click", element=self.clicked, clicks=self.broken),
        )
        assert taken == [*["stored"] * 5, "quarantined"]
        steps = (await self.asks("GET", "/v1/me/next-steps")).json()
        assert steps["guided"]
        for card in steps["cards"][:1]:
            place = f"/v1/me/next-steps/{card['decision']}/{card['action']}"
            await self.asks("POST", place, outcome="never")
        await self.asks("PUT", "/v1/me/profile/role", value="developer")
        wish = {"topic": f"kind/{self.clicked}", "wish": "never"}
        await self.asks("PUT", "/v1/me/messages/wishes", said=[wish])
        await self.asks("PUT", "/v1/me/presence", typing=True)

    def track(self, event: str, **properties: Any) -> dict[str, Any]:
        return {"type": "track", "event": event, "properties": properties}

    async def sends(self, *messages: dict[str, Any]) -> list[str]:
        """What became of each."""
        answer = await self.asks("POST", "/v1/events", batch=[self._sent(m) for m in messages])
        return [each["status"] for each in answer.json()["results"]]

    def _sent(self, message: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat()
        return {"messageId": _word(), "userId": self.subject, "timestamp": now, **message}

    async def asks(self, method: str, path: str, **body: Any) -> httpx.Response:
        answer = await self.http.request(method, path, json=body or None)
        assert answer.status_code < 300, (method, path, answer.text)
        return answer


def _word() -> str:
    return secrets.token_hex(8)


def joined(harbor: Harbor, count: int) -> list[Person]:
    """New members of the workspace, who may edit; signed in just now."""
    wanted = {"role": "editor", "expires_in": "7d", "max_uses": 100}
    key = {"idempotency-key": secrets.token_hex(16)}
    link = harbor.call("POST", "/v1/invite-links", json=wanted, headers=key).json()
    return [_joined(harbor, link["token"], number) for number in range(count)]


def _joined(harbor: Harbor, link: str, number: int) -> Person:
    domain = harbor.session["emails"]["owner"].rpartition("@")[2]
    email = f"p{secrets.token_hex(4)}@{domain}"
    new = {"token": link, "email": email, "name": f"P{number}", "password": PASSWORD}
    made = harbor.client.post("/v1/invites/accept", json=new).raise_for_status().json()
    login = {"email": email, "password": PASSWORD}
    token = harbor.client.post("/v1/tokens", json=login).raise_for_status().json()["token"]
    return Person(number, made["user_id"], token)


@asynccontextmanager
async def at(url: str, people: Sequence[Person]) -> AsyncIterator[None]:
    """Each with a client of their own to this server."""
    for person in people:
        bearer = {"authorization": f"Bearer {person.token}"}
        person.client = httpx.AsyncClient(base_url=url, timeout=60, trust_env=False, headers=bearer)
    try:
        yield
    finally:
        for person in people:
            await person.http.aclose()


async def live(people: Sequence[Person]) -> None:
    """All of them, some at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(person: Person) -> None:
        async with gate:
            await person.lives()

    async with asyncio.TaskGroup() as group:
        for person in people:
            group.create_task(one(person))
