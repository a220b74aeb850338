"""Text messages by a provider's HTTP API: JSON, a bearer token, an idempotency key.

POST URL  {"id", "to", "from", "text"}  ->  2xx {"id": PROVIDER'S ID}
                                            4xx {"code": "invalid_recipient" | "opted_out" | ..}
GET URL/{id}                            ->  200 {"id", "status"}, 404: it never came
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, ValidationError
from typing_extensions import override

from onboarding.interventions.channel import Again, Effect, Parcel, Refused, Result, Sent, Text
from onboarding.interventions.types import Channel, Delivery, Reason
from onboarding.store.interventions.posting import Ask, Reply, Request, meaning, posted

_OF_ADDRESS: Final = {"invalid_recipient": Reason.BOUNCED, "opted_out": Reason.UNSUBSCRIBED}
STOPS: Final = frozenset(
    {"stop", "stopp", "stopall", "unsubscribe", "cancel", "end", "quit", "abmelden", "revoke"}
)
TAKEN: Final = frozenset({"accepted", "queued", "sending", "sent", "delivered"})
FAILED: Final = frozenset({"failed", "rejected", "undelivered"})
"""What a provider may say of a message; another word says nothing."""
STARTS: Final = frozenset({"start", "unstop", "yes"})
LONGEST: Final = 480
"""Three parts of a long text message."""


@dataclass(frozen=True, slots=True)
class SmsPolicy:
    """`keyed`: the provider takes the same `Idempotency-Key` twice as once; where it does not, what
    may have gone out is not sent again."""

    url: str
    token: str
    sender: str
    keyed: bool = True
    tells: bool = False  # whether GET says what became of a message
    timeout_s: float = 10.0

    @override
    def __repr__(self) -> str:
        return f"SmsPolicy({self.url})"


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: str | None = None
    code: str | None = None
    status: str | None = None


class Sms:
    """Over any outbound client."""

    channel: Final = Channel.SMS

    def __init__(self, policy: SmsPolicy, ask: Ask) -> None:
        self._policy = policy
        self._ask = ask

    @property
    def effect(self) -> Effect:
        return Effect.KEYED if self._policy.keyed else Effect.ONCE

    async def send(self, parcel: Parcel) -> Result:
        policy = self._policy
        body = {
            "id": parcel.id,
            "to": parcel.contact.address,
            "from": policy.sender,
            "text": said(parcel.text),
        }
        headers = {
            "content-type": "application/json",
            "authorization": f"Bearer {policy.token}",
            "idempotency-key": parcel.id,
        }
        data = json.dumps(body, ensure_ascii=False).encode()
        request = Request("POST", policy.url, headers, data, policy.timeout_s)
        reply = await posted(self._ask, request)
        return _result(reply) if isinstance(reply, Reply) else reply

    async def found(self, delivery: Delivery) -> Sent | Refused | Again | None:
        policy = self._policy
        if not policy.tells:
            return None
        headers = {"authorization": f"Bearer {policy.token}", "accept": "application/json"}
        url = f"{policy.url.rstrip('/')}/{quote(delivery.id, safe='')}"
        reply = await posted(self._ask, Request("GET", url, headers, None, policy.timeout_s))
        return _told(reply, delivery) if isinstance(reply, Reply) else None


def said(text: Text) -> str:
    """The body, shortened where it has to be, and the link whole."""
    room = LONGEST - len(text.link) - 1
    body = " ".join(text.body.split())
    short = body if len(body) <= room else f"{body[: room - 1].rstrip()}…"
    return f"{short} {text.link}".strip()


def is_stop(text: str) -> bool:
    """Whether an answer from a phone begins with a word that ends it."""
    words = "".join(sign if sign.isalnum() else " " for sign in text.casefold()).split()
    return bool(words) and words[0] in STOPS


def is_start(text: str) -> bool:
    return text.strip().casefold() in STARTS


def _told(reply: Reply, delivery: Delivery) -> Sent | Refused | Again | None:
    if reply.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return Again(answered=True)
    if reply.status != HTTPStatus.OK:
        return None
    answer = _answer(reply)
    if answer.status in TAKEN:
        return Sent(answer.id or delivery.id)
    return Refused() if answer.status in FAILED else None


def _answer(reply: Reply) -> _Answer:
    try:
        return _Answer.model_validate_json(reply.body or b"{}")
    except ValidationError:
        return _Answer()


def _result(reply: Reply) -> Result:
    answer = _answer(reply)
    result = meaning(reply, answer.id)
    reason = _OF_ADDRESS.get(answer.code or "")
    if isinstance(result, Refused) and reason is not None:
        return Refused(reason, address=True)
    return result
