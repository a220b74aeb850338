"""Somebody who works in Harbor and is guided by Embark, each over HTTP with their own token."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import orjson

from tests.e2e.onboarding.stage import Running

PASSWORD = "correct-horse-battery"
TEXT = "v1"
AGREED = ("product_analytics", "support")
PROMISED_S = 1.0
"""From Harbor's event to what is shown (onboarding reference, 16)."""
SENT_S = 1.0
"""Harbor looks every half second whether there is something to send."""
POLL_S = 0.03
PATIENCE_S = 30.0
"""Other tests may run beside these."""
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Someone:
    """A member of a workspace of Harbor."""

    running: Running
    email: str
    token: str = field(repr=False)
    id: str = ""
    workspace: str = ""

    def product(self, method: str, path: str, **more: Any) -> Any:
        """In Harbor, as a click there does."""
        headers = {**self.headers, "idempotency-key": uuid4().hex, "if-match": "*"}
        answer = self.running.stage.harbor.client.request(method, path, headers=headers, **more)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def embark(
        self, method: str, path: str, at: httpx.Client | None = None, **more: Any
    ) -> httpx.Response:
        """In Embark; `at` another server than the first."""
        return (at or self.running.server).request(method, path, headers=self.headers, **more)

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    def agrees(self, *purposes: str, given: bool = True) -> None:
        said = [{"purpose": purpose, "given": given} for purpose in purposes]
        body = {"textVersion": TEXT, "said": said}
        self.embark("PUT", "/v1/me/consents", json=body).raise_for_status()

    def steps(self, at: httpx.Client | None = None) -> Body:
        found: Body = self.embark("GET", "/v1/me/next-steps", at).raise_for_status().json()
        return found

    def profile(self, at: httpx.Client | None = None) -> dict[str, Body]:
        """Facts by name."""
        found = self.embark("GET", "/v1/me/profile", at).raise_for_status().json()
        return {each["name"]: each for each in found["facts"]}

    def messages(self) -> list[Body]:
        found: list[Body] = (
            self.embark("GET", "/v1/me/messages").raise_for_status().json()["messages"]
        )
        return found

    def says_to_card(
        self, card: Body, outcome: str, at: httpx.Client | None = None, **more: str
    ) -> Body:
        path = f"/v1/me/next-steps/{card['decision']}/{card['action']}"
        answer = self.embark("POST", path, json={"outcome": outcome, **more})
        found: Body = answer.raise_for_status().json()
        return found

    def signs_in_again(self) -> Someone:
        """The same person, with a token of their own: another day, or another device."""
        body = {"email": self.email, "password": PASSWORD}
        self.running.stage.harbor.client.post("/v1/sign-in", json=body).raise_for_status()
        return someone(self.running, self.email)

    def until(self, holds: Callable[[Body], bool], within_s: float = PATIENCE_S) -> Body:
        """Next steps as soon as they are so."""
        ends = time.monotonic() + within_s
        while True:
            found = self.steps()
            if holds(found):
                return found
            assert time.monotonic() < ends, found
            time.sleep(POLL_S)


def someone(running: Running, email: str) -> Someone:
    body = {"email": email, "password": PASSWORD}
    harbor = running.stage.harbor.client
    token = harbor.post("/v1/tokens", json=body).raise_for_status().json()["token"]
    me = harbor.get("/v1/me", headers={"authorization": f"Bearer {token}"}).json()
    return Someone(running, email, token, me["id"], me["account"]["id"])


def signed_up(running: Running, *purposes: str) -> Someone:
    """The owner of a new workspace."""
    email = f"owner.{uuid4().hex[:8]}@northwind.example"
    body = {"email": email, "password": PASSWORD, "name": "Ona Owner", "workspace": "Northwind"}
    running.stage.harbor.client.post("/v1/sign-up", json=body).raise_for_status()
    return _agreed(running, email, purposes)


def invited(owner: Someone, role: str, *purposes: str) -> Someone:
    """A colleague who took the link of an invite, and agreed."""
    link = owner.product("POST", "/v1/invite-links", json={"role": role})
    return joined(owner.running, link["token"], *purposes)


def joined(running: Running, token: str, *purposes: str) -> Someone:
    email = f"colleague.{uuid4().hex[:8]}@northwind.example"
    body = {"token": token, "name": "Col League", "password": PASSWORD, "email": email}
    running.stage.harbor.client.post("/v1/invites/accept", json=body).raise_for_status()
    return _agreed(running, email, purposes)


def _agreed(running: Running, email: str, purposes: tuple[str, ...]) -> Someone:
    """They agreed in the widget, and come again: what was told before they agreed was not kept."""
    person = someone(running, email)
    person.agrees(*(purposes or AGREED))
    return person.signs_in_again()


def rows(count: int = 60) -> str:
    """Events of 20 days, as people export them."""
    now = datetime.now(UTC)
    lines = ["event,user_id,occurred_at"]
    for at in range(count):
        when = now - timedelta(days=20 * (count - at) / count)
        name = ("signed_up", "project_created", "report_opened")[at % 3]
        lines.append(f"{name},u{at % 7},{when.isoformat(timespec='seconds')}")
    return "\n".join(lines) + "\n"


def imports_csv(person: Someone, content: str | None = None) -> None:
    """In Harbor's own page; it runs in the background."""
    file = {"file": ("events.csv", (content or rows()).encode(), "text/csv")}
    upload = person.product("POST", "/v1/uploads", files=file)["id"]
    person.product("POST", "/v1/imports", json={"upload_id": upload, "mode": "full"})


def states(standing: Body) -> dict[str, str]:
    """State of each step of the checklist."""
    return {step["id"]: step["state"] for step in standing["checklist"]}


def actions(standing: Body) -> list[str]:
    return [card["action"] for card in standing["cards"]]


def spoken(person: Someone, thread: str, text: str, resume: Sequence[Body] = ()) -> list[Body]:
    """The events of one run of a conversation."""
    message = {"id": uuid4().hex, "role": "user", "content": text}
    body: Body = {"threadId": thread, "runId": uuid4().hex, "messages": [message]}
    if resume:
        body["resume"] = list(resume)
    answer = person.embark("POST", "/v1/agui", json=body).raise_for_status()
    return [orjson.loads(line[5:]) for line in answer.text.splitlines() if line.startswith("data:")]
