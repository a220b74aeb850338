"""Product events as one of the places that keep something of a person."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime

import orjson

from guardrails.refs import stamp
from onboarding.events.keeping import EventKeeping
from onboarding.types import Event

PAGE = 500
Forget = Callable[[str, str], None]


class PersonalEvents:
    """A tombstone stays: an HMAC that keeps late events of the person out. `forget` drops what this
    process remembers."""

    name = "product_events"

    def __init__(
        self, keeping: EventKeeping, clock: Callable[[], datetime], forget: Forget | None = None
    ) -> None:
        self._keeping = keeping
        self._clock = clock
        self._forget = forget

    async def export(self, tenant: str, subject: str) -> AsyncIterator[str]:
        after = 0
        while page := await self._keeping.kept(tenant, subject, after, PAGE):
            for each in page:
                yield orjson.dumps(_line(each.event)).decode()
            after = page[-1].number

    async def erase(self, tenant: str, subject: str) -> int:
        gone = await self._keeping.forget(tenant, subject, self._clock())
        if self._forget is not None:
            self._forget(tenant, subject)
        return gone

    async def residue(self, tenant: str, subject: str) -> int:
        return await self._keeping.residue(tenant, subject)


def _line(event: Event) -> dict[str, object]:
    return {
        "message_id": event.message_id,
        "kind": event.kind.value,
        "event": event.name,
        "version": event.version,
        "anonymous": event.anonymous,
        "account": event.account,
        "occurred_at": stamp(event.occurred_at),
        "received_at": stamp(event.received_at),
        "purposes": sorted(event.purposes),
        "fields": {
            name: {"value": tagged.value, "purposes": sorted(tagged.purposes)}
            for name, tagged in event.fields.items()
        },
    }
