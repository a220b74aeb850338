"""A channel that keeps what it was given: the twin, and what a trial installation sends by."""

from __future__ import annotations

from collections.abc import Sequence

from onboarding.interventions.channel import Again, Effect, Parcel, Refused, Result, Sent
from onboarding.interventions.types import Channel, Delivery


class RecordingChannel:
    """`results` are said in turn, then everything is sent; `found` is what is said later. The same
    parcel again is no second one where twice is once."""

    def __init__(
        self,
        channel: Channel,
        effect: Effect = Effect.KEYED,
        results: Sequence[Result] = (),
        found: Sent | Refused | Again | None = None,
    ) -> None:
        self.channel = channel
        self.effect = effect
        self.taken: list[Parcel] = []
        self.asked: list[str] = []
        self._results = list(results)
        self._found = found

    async def send(self, parcel: Parcel) -> Result:
        result = self._results.pop(0) if self._results else Sent(parcel.id)
        known = any(each.id == parcel.id for each in self.taken)
        if isinstance(result, Sent) and not (known and self.effect is not Effect.ONCE):
            self.taken.append(parcel)
        return result

    async def found(self, delivery: Delivery) -> Sent | Refused | Again | None:
        self.asked.append(delivery.id)
        return self._found
