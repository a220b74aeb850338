"""Inbox, wishes, presence, one-click unsubscribing and providers' news over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from api.interventions import Heard, Messages
from onboarding.interventions import Channel, Klass, Message, Reason, Standing, State
from onboarding.interventions.channel import Contact, Sent
from onboarding.interventions.links import Links, address_mac
from onboarding.interventions.templating import Templates
from onboarding.store.interventions import Claim, DoorParts, MessageDoor
from onboarding.store.interventions.contacts import MemoryContacts
from onboarding.store.interventions.memory import MemoryDeliveries
from onboarding.types import Person
from tests.agent.acting_floor import TENANT
from tests.api.privacy import Kept, kept
from tests.onboarding.interventions.making import message
from tests.tools.acting.floor import Clock
from tools.store.engine import open_engine
from tools.webhooks import SeenMessages, prepare, read_secrets, signed

KEY = b"a key of links for these tests, long"
SECRETS = read_secrets("whsec_" + "B" * 32)
OTHERS = read_secrets("whsec_" + "C" * 32)
ANA = Person(TENANT, "ana", "acme")


@dataclass
class Rig:
    house: Kept
    store: MemoryDeliveries
    links: Links

    async def sent(self, step: str = "a", **more: Any) -> Message:
        """A message of Ana's that went out."""
        made = message(step, ANA, template="next-step", values={"step": "Connect <b>"}, **more)
        now = self.house.clock()
        (delivery,) = await self.store.plan([made], now)
        claim = await self.store.claim(delivery, Standing(zone="UTC"), now)
        assert isinstance(claim, Claim)
        await self.store.settle(claim.delivery, Sent(f"p-{step}"), now, Random(1))
        return made

    async def tell(self, body: dict[str, Any], name: str = "m1", key: Any = SECRETS) -> Any:
        data = json.dumps(body).encode()
        headers = signed(key, name, self.house.clock(), data)
        return await self.house.http.post("/v1/webhooks/deliveries", content=data, headers=headers)

    async def state(self, made: Message) -> State:
        found = await self.store.delivery(TENANT, made.id)
        assert found is not None
        return found.state

    async def may(self, made: Message, **more: Any) -> Reason | None:
        """Why the governor would not send it now."""
        now = self.house.clock()
        (delivery,) = await self.store.plan([made], now)
        found = await self.store.claim(delivery, Standing(zone="UTC", **more), now)
        assert found is not None
        return None if isinstance(found, Claim) else found.reason


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    store, links = MemoryDeliveries(), Links("https://app.example/v1", KEY)
    contacts = MemoryContacts({("ana", Channel.EMAIL): Contact("ana@h.example")})
    engine = open_engine("sqlite://")
    prepare(engine)

    def messages(clock: Clock) -> Messages:
        parts = DoorParts(TENANT, store, Templates.load(), links, contacts, KEY, clock)
        return Messages(MessageDoor(parts), clock, Heard(SECRETS, SeenMessages(engine)))

    async with kept(tmp_path, messages) as house:
        yield Rig(house, store, links)
    engine.dispose()


async def inbox(rig: Rig, query: str = "", who: str = "ana") -> list[dict[str, Any]]:
    answer = await rig.house.call("GET", f"/v1/me/messages{query}", who)
    assert answer.is_success, answer.text
    return list(answer.json()["messages"])


async def test_the_inbox_is_the_readers_and_in_their_language(rig: Rig) -> None:
    made = await rig.sent()
    await rig.sent("mail", channel=Channel.EMAIL)
    (item,) = await inbox(rig)
    assert item["title"] == "A good next step: Connect <b>"
    assert (item["id"], item["seen"], item["kind"]) == (made.id, False, "tips")
    assert item["link"] == "http://localhost/start"
    (item,) = await inbox(rig, "?locale=de-CH")
    assert item["title"].startswith("Ein guter nächster Schritt")
    assert await inbox(rig, who="bo") == []


async def touch(rig: Rig, made: Message, what: str, who: str = "ana") -> int:
    path = f"/v1/me/messages/{made.id}/touch"
    return (await rig.house.call("POST", path, who, {"what": what})).status_code


async def test_what_was_seen_clicked_and_dismissed(rig: Rig) -> None:
    made = await rig.sent()
    assert await touch(rig, made, "seen") == 204
    assert (await inbox(rig))[0]["seen"]
    assert await touch(rig, made, "clicked") == 204
    assert await rig.state(made) is State.CLICKED


async def test_a_dismissed_message_is_gone_even_if_it_was_seen(rig: Rig) -> None:
    made = await rig.sent()
    for what in ("seen", "dismissed", "seen"):
        assert await touch(rig, made, what) == 204
    assert await inbox(rig) == []


async def test_nobody_touches_what_is_not_theirs(rig: Rig) -> None:
    made, mail = await rig.sent(), await rig.sent("b", channel=Channel.EMAIL)
    assert await touch(rig, made, "seen", "bo") == 404
    assert await touch(rig, mail, "seen") == 404
    assert await touch(rig, made, "liked") == 422
    assert await touch(rig, made, "seen", "") == 401
    assert await rig.state(made) is State.SENT


async def test_wishes_are_said_read_and_taken_back(rig: Rig) -> None:
    wish = {"topic": "kind/tips", "wish": "opt_out", "channel": "email"}
    until = (rig.house.clock() + timedelta(days=1)).isoformat()
    snooze = {"topic": "all", "wish": "snooze", "until": until}
    body = {"said": [wish, snooze]}
    said = (await rig.house.call("PUT", "/v1/me/messages/wishes", body=body)).json()["said"]
    assert [each["topic"] for each in said] == ["all", "kind/tips"]
    assert (await rig.house.call("GET", "/v1/me/messages/wishes")).json()["said"] == said
    assert await rig.may(message("x", ANA)) is Reason.SNOOZED
    back = {"takenBack": [snooze]}
    said = (await rig.house.call("PUT", "/v1/me/messages/wishes", body=back)).json()["said"]
    assert said == [{**wish, "until": None}]
    assert await rig.may(message("y", ANA, channel=Channel.EMAIL)) is Reason.UNSUBSCRIBED
    assert (await rig.house.call("GET", "/v1/me/messages/wishes", "bo")).json() == {"said": []}


@pytest.mark.parametrize(
    "wish",
    [
        {"topic": "all", "wish": "snooze"},
        {"topic": "nothing/x", "wish": "never"},
        {"topic": "all", "wish": "perhaps"},
        {"topic": "a b", "wish": "never"},
        {"topic": "all", "wish": "never", "more": 1},
    ],
)
async def test_wishes_that_make_no_sense(rig: Rig, wish: dict[str, Any]) -> None:
    answer = await rig.house.call("PUT", "/v1/me/messages/wishes", body={"said": [wish]})
    assert answer.status_code == 422
    assert await rig.store.choices(ANA) == ()


async def test_who_types_is_left_alone(rig: Rig) -> None:
    answer = await rig.house.call("PUT", "/v1/me/presence", body={"typing": True})
    assert answer.status_code == 204
    assert await rig.may(message("x", ANA)) is Reason.TYPING
    await rig.house.call("PUT", "/v1/me/presence", body={"typing": False, "form": True})
    assert await rig.may(message("y", ANA)) is Reason.FORM_DIRTY
    await rig.house.call("PUT", "/v1/me/presence", body={"form": False})
    assert await rig.may(message("z", ANA)) is None


def path_of(rig: Rig, made: Message) -> str:
    url = rig.links.unsubscribe(made)
    assert url is not None
    return url.removeprefix("https://app.example")


async def test_one_click_is_enough_and_a_look_is_not(rig: Rig) -> None:
    mail = message("x", ANA, channel=Channel.EMAIL)
    path = path_of(rig, mail)
    shown = await rig.house.call("GET", path, "", **{"accept-language": "de-DE"})
    assert shown.status_code == 200
    assert '<form method="post">' in shown.text
    assert "Keine mehr davon" in shown.text
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert await rig.store.choices(ANA) == ()
    done = await rig.house.http.post(path, data={"List-Unsubscribe": "One-Click"})
    assert done.status_code == 200
    assert await rig.may(mail) is Reason.UNSUBSCRIBED
    assert await rig.may(message("y", ANA)) is None
    assert await rig.may(message("z", ANA, channel=Channel.EMAIL, kind="news")) is None
    assert (await rig.house.http.post(path)).status_code == 200


async def test_a_link_that_is_not_ours(rig: Rig) -> None:
    mail = message("x", ANA, channel=Channel.EMAIL)
    path = path_of(rig, mail)
    other = Links("https://app.example/v1", b"x" * 32).unsubscribe(mail)
    assert other is not None
    stranger = rig.links.token(message("x", Person("other", "ana"), channel=Channel.EMAIL))
    for wrong in (
        path[:-2] + ("AA" if path[-2:] != "AA" else "BB"),
        path.replace("unsubscribe/", "unsubscribe/A"),
        other.removeprefix("https://app.example"),
        f"/v1/unsubscribe/{stranger}",
        "/v1/unsubscribe/abc.def",
        "/v1/unsubscribe/abc",
    ):
        for method in ("GET", "POST"):
            assert (await rig.house.call(method, wrong, "")).status_code in (404, 422)
    assert await rig.store.choices(ANA) == ()
    assert rig.links.unsubscribe(message("s", ANA, klass=Klass.TRANSACTIONAL)) is None


def news(kind: str, made: Message, **more: str) -> dict[str, Any]:
    return {"type": f"delivery.{kind}", "data": {"id": made.id, **more}}


async def test_a_bounce_closes_the_address(rig: Rig) -> None:
    made = await rig.sent(channel=Channel.EMAIL)
    answer: httpx.Response = await rig.tell(news("bounced", made))
    assert answer.json() == {"status": "accepted"}
    assert await rig.state(made) is State.FAILED
    mac = address_mac(KEY, TENANT, Channel.EMAIL, " ANA@h.example")
    later = message("z", ANA, channel=Channel.EMAIL)
    assert await rig.may(later, address=mac) is Reason.ADDRESS_REFUSED


async def test_a_bounce_that_names_its_address(rig: Rig) -> None:
    made = await rig.sent(channel=Channel.EMAIL)
    await rig.tell(news("bounced", made, address="old@h.example"))
    later = message("z", ANA, channel=Channel.EMAIL)
    mac = address_mac(KEY, TENANT, Channel.EMAIL, "old@h.example")
    assert await rig.may(later, address=mac) is Reason.ADDRESS_REFUSED


async def test_delivered_and_a_complaint(rig: Rig) -> None:
    made = await rig.sent(channel=Channel.EMAIL)
    await rig.tell({"type": "delivery.delivered", "data": {"id": "p-a"}})
    assert await rig.state(made) is State.DELIVERED
    await rig.tell(news("complained", made), "m2")
    assert await rig.may(message("z", ANA, channel=Channel.EMAIL)) is Reason.UNSUBSCRIBED
    assert await rig.may(message("y", ANA)) is None


async def test_stop_and_start_from_a_phone(rig: Rig) -> None:
    stop = {"type": "sms.received", "data": {"from": "+49 (170) 123", "text": "Stop!"}}
    assert (await rig.tell(stop)).json()["status"] == "accepted"
    mac = address_mac(KEY, TENANT, Channel.SMS, "+49170123")
    text = message("z", ANA, channel=Channel.SMS, klass=Klass.TRANSACTIONAL)
    assert await rig.may(text, address=mac) is Reason.ADDRESS_REFUSED
    start = {"type": "sms.received", "data": {"from": "+49170123", "text": "START"}}
    await rig.tell(start, "m2")
    assert await rig.may(message("y", ANA, channel=Channel.SMS), address=mac) is None
    other = {"type": "sms.received", "data": {"from": "1", "text": "thanks"}}
    assert (await rig.tell(other, "m3")).json()["status"] == "ignored"


async def test_news_are_taken_once_and_only_when_signed(rig: Rig) -> None:
    made = await rig.sent(channel=Channel.EMAIL)
    assert (await rig.tell(news("bounced", made), key=OTHERS)).status_code == 401
    assert await rig.state(made) is State.SENT
    assert (await rig.tell(news("delivered", made))).json()["status"] == "accepted"
    assert (await rig.tell(news("bounced", made))).json()["status"] == "repeated"
    assert await rig.state(made) is State.DELIVERED
    unknown = {"type": "delivery.delivered", "data": {"id": "nothing"}}
    assert (await rig.tell(unknown, "m2")).json()["status"] == "ignored"
    assert (await rig.tell({"type": "x", "data": {}}, "m3")).json()["status"] == "ignored"
    assert (await rig.tell({"type": "delivery.bounced", "data": {}}, "m4")).status_code == 422
    assert (await rig.tell({"type": "delivery.bounced", "data": {}}, "m4")).status_code == 422


async def test_where_no_messages_are_sent(tmp_path: Path) -> None:
    async with kept(tmp_path) as house:
        for method, path, body in (
            ("GET", "/v1/me/messages", None),
            ("GET", "/v1/me/messages/wishes", None),
            ("PUT", "/v1/me/presence", {"typing": True}),
            ("POST", "/v1/unsubscribe/a.b", None),
            ("POST", "/v1/webhooks/deliveries", {"type": "x", "data": {}}),
        ):
            answer = await house.call(method, path, body=body)
            assert (answer.status_code, answer.json()["code"]) == (404, "messages_off")
