"""Next steps over HTTP: what is read, what is said to a card, and by whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest

from agent.guiding import Standing
from api import Acts
from api.advice import Muted, Snooze, UnknownCardError
from api.guidance import locale_of
from onboarding.types import Mode, OutcomeKind
from retrieval.types import Scope
from tests.agent.acting_floor import TENANT
from tests.agent.test_guiding import STANDING
from tests.api.acting import identify
from tests.api.serving import app_of
from tests.api.twin import ScriptedAssistant
from tools.types import Actor

DECISION = "d" * 22
LAMP = f"/v1/me/next-steps/{DECISION}/set_lamp"


@dataclass
class Notebook:
    """The desk of one process, as a few lists."""

    guided: bool = True
    said: list[tuple[str, str, OutcomeKind, Snooze | None]] = field(default_factory=list)
    put_aside: dict[str, Muted] = field(default_factory=dict)
    mode: Mode = Mode.SIMPLE
    locales: list[str] = field(default_factory=list)

    async def standing(self, actor: Actor, locale: str) -> Standing | None:
        self.locales.append(locale)
        if not self.guided:
            return None
        cards = tuple(card for card in STANDING.cards if card.action not in self.put_aside)
        return replace(STANDING, cards=cards, mode=self.mode.value)

    async def respond(
        self, actor: Actor, card: tuple[str, str], kind: OutcomeKind, snooze: Snooze | None
    ) -> None:
        _, action = card
        if card not in {(each.decision, each.action) for each in STANDING.cards}:
            raise UnknownCardError(action)
        self.said.append((actor.subject, action, kind, snooze))
        if kind in {OutcomeKind.SNOOZED, OutcomeKind.NEVER}:
            self.put_aside[action] = Muted(action, "Set the lamp", None)

    async def muted(self, actor: Actor, locale: str) -> list[Muted]:
        return list(self.put_aside.values())

    async def unmute(self, actor: Actor, action: str) -> bool:
        return self.put_aside.pop(action, None) is not None

    async def choose_mode(self, actor: Actor, mode: Mode) -> None:
        self.mode = mode


@dataclass
class House:
    desk: Notebook
    http: httpx.AsyncClient

    async def call(
        self, method: str, path: str, body: Any = None, who: str = "ana", **more: str
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {who}", **more} if who else more
        return await self.http.request(method, path, json=body, headers=headers)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    desk = Notebook()
    app = app_of(
        ScriptedAssistant(), acts=Acts(identify=identify, guide=desk), viewer=Scope(TENANT)
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        yield House(desk, http)


async def test_checklist_cards_and_what_was_put_aside(house: House) -> None:
    answer = await house.call("GET", "/v1/me/next-steps")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["guided"], body["journey"], body["minutesLeft"]) == (True, "start@2", 7)
    assert [step["state"] for step in body["checklist"]] == ["done", "open", "open", "skipped"]
    assert body["cards"][0] == {
        "decision": DECISION,
        "action": "set_lamp",
        "title": "Set the lamp",
        "why": "Everything else needs light.",
        "effort": 2,
        "minutes": 3,
        "tool": "set_item",
        "opens": None,
        "alternatives": [],
        "arguments": {},
        "evidence": [],
    }
    assert body["muted"] == []


async def test_who_is_not_guided_is_told_so(house: House) -> None:
    house.desk.guided = False
    body = (await house.call("GET", "/v1/me/next-steps")).json()
    assert (body["guided"], body["cards"], body["checklist"]) == (False, [], [])
    refused = await house.call("PUT", "/v1/me/mode", {"mode": "advanced"})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_guided")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"outcome": "clicked"}, (OutcomeKind.CLICKED, None)),
        ({"outcome": "another"}, (OutcomeKind.ANOTHER, None)),
        ({"outcome": "snoozed", "snooze": "7d"}, (OutcomeKind.SNOOZED, Snooze.WEEK)),
        ({"outcome": "never"}, (OutcomeKind.NEVER, None)),
    ],
)
async def test_what_is_said_to_a_card_is_kept(
    house: House, sent: dict[str, str], kept: tuple[OutcomeKind, Snooze | None]
) -> None:
    answer = await house.call("POST", LAMP, sent)
    assert answer.status_code == 200, answer.text
    assert house.desk.said == [("ana", "set_lamp", *kept)]


async def test_never_holds_at_once_and_can_be_taken_back(house: House) -> None:
    body = (await house.call("POST", LAMP, {"outcome": "never"})).json()
    assert [card["action"] for card in body["cards"]] == ["invite"]
    assert body["muted"] == [{"action": "set_lamp", "title": "Set the lamp", "until": None}]
    back = (await house.call("DELETE", "/v1/me/muted/set_lamp")).json()
    assert [card["action"] for card in back["cards"]] == ["set_lamp", "invite"]
    again = await house.call("DELETE", "/v1/me/muted/set_lamp")
    assert (again.status_code, again.json()["code"]) == (404, "not_muted")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (LAMP, {"outcome": "snoozed"}, 422),
        (LAMP, {"outcome": "clicked", "snooze": "1d"}, 422),
        (LAMP, {"outcome": "activated"}, 422),
        (LAMP, {"outcome": "snoozed", "snooze": "3d"}, 422),
        (LAMP, {"outcome": "clicked", "more": 1}, 422),
        (f"/v1/me/next-steps/{'e' * 22}/set_lamp", {"outcome": "clicked"}, 404),
        ("/v1/me/next-steps/short/set_lamp", {"outcome": "clicked"}, 422),
    ],
)
async def test_what_does_not_fit_is_refused_and_not_kept(
    house: House, path: str, body: dict[str, Any], status: int
) -> None:
    assert (await house.call("POST", path, body)).status_code == status
    assert house.desk.said == []


async def test_simple_and_advanced(house: House) -> None:
    body = (await house.call("PUT", "/v1/me/mode", {"mode": "advanced"})).json()
    assert (body["mode"], house.desk.mode) == ("advanced", Mode.ADVANCED)


async def test_nobody_and_nothing(house: House) -> None:
    assert (await house.call("GET", "/v1/me/next-steps", who="")).status_code == 401
    bare = app_of(ScriptedAssistant(), acts=Acts(identify=identify), viewer=Scope(TENANT))
    transport = httpx.ASGITransport(bare)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        answer = await http.get("/v1/me/next-steps", headers={"authorization": "Bearer ana"})
    assert (answer.status_code, answer.json()["code"]) == (404, "guidance_off")


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr, de", "de"),
        ("en-GB", "en"),
        ("fr", "en"),
        (",", "en"),
    ],
)
def test_the_language_of_the_reader(header: str, locale: str) -> None:
    assert locale_of(header) == locale


async def test_the_header_is_heard(house: House) -> None:
    await house.call("GET", "/v1/me/next-steps", **{"accept-language": "de"})
    assert house.desk.locales == ["de"]
