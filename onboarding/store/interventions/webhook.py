"""Messages to a system of the host, signed by Standard Webhooks: it shows or sends them itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from onboarding.interventions.channel import Effect, Parcel, Result
from onboarding.interventions.types import Channel, Delivery
from onboarding.store.interventions.posting import Ask, Reply, Request, meaning, posted

Sign = Callable[[str, datetime, bytes], Mapping[str, str]]
"""Message id, time of this try and body -> the headers of the signature."""
TYPE: Final = "intervention.message"


class Webhook:
    """The id is the same in every try, so that the receiver takes it once."""

    channel: Final = Channel.WEBHOOK
    effect: Final = Effect.KEYED

    def __init__(
        self, url: str, ask: Ask, sign: Sign, clock: Callable[[], datetime], timeout_s: float = 10.0
    ) -> None:
        self._url = url
        self._ask = ask
        self._sign = sign
        self._clock = clock
        self._timeout_s = timeout_s

    async def send(self, parcel: Parcel) -> Result:
        now = self._clock()
        body = json.dumps(_document(parcel, now), ensure_ascii=False).encode()
        headers = {"content-type": "application/json", **self._sign(parcel.id, now, body)}
        reply = await posted(self._ask, Request("POST", self._url, headers, body, self._timeout_s))
        return meaning(reply, parcel.id) if isinstance(reply, Reply) else reply

    async def found(self, delivery: Delivery) -> None:
        """Never asked: it is sent again instead."""


def _document(parcel: Parcel, now: datetime) -> dict[str, object]:
    message, text = parcel.message, parcel.text
    return {
        "type": TYPE,
        "timestamp": now.isoformat(),
        "data": {
            "id": parcel.id,
            "user": message.person.user,
            "account": message.person.account,
            "kind": message.kind,
            "template": message.template,
            "values": dict(message.values),
            "locale": parcel.contact.locale,
            "title": text.subject,
            "text": text.body,
            "link": text.link,
            "unsubscribe": parcel.unsubscribe,
        },
    }
