"""Messages in the product: what was sent to the inbox is pushed to pages that are open now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

import structlog

from onboarding.interventions.channel import Effect, Parcel, Result, Sent
from onboarding.interventions.types import Channel, Delivery
from onboarding.types import Person

_log = structlog.get_logger(__name__)


class Pushed(NamedTuple):
    """What an open page shows. The same `id` again is no second message."""

    id: str
    kind: str
    title: str
    body: str
    link: str
    decision: str | None


Push = Callable[[Person, Pushed], Awaitable[None]]
"""To the pages of one person. Nobody may be there to see it; it raises OSError at most."""


async def nowhere(_person: Person, _pushed: Pushed) -> None:
    """Where no stream is open."""


class InApp:
    """The inbox is the delivery log itself: a message is in it once it is sent."""

    channel: Final = Channel.IN_APP
    effect: Final = Effect.INBOX

    def __init__(self, push: Push = nowhere) -> None:
        self._push = push

    async def send(self, parcel: Parcel) -> Result:
        message, text = parcel.message, parcel.text
        shown = Pushed(
            parcel.id, message.kind, text.subject, text.body, text.link, message.decision
        )
        try:
            await self._push(message.person, shown)
        except OSError as failure:  # it lies in the inbox all the same
            _log.warning("in_app.not_pushed", delivery=parcel.id, error=type(failure).__name__)
        return Sent(parcel.id)

    async def found(self, delivery: Delivery) -> Sent:
        return Sent(delivery.id)
