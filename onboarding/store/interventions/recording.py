"""A channel that keeps what it was given: the twin, and what a trial installation sends by."""

from __future__ import annotations

from collections.abc import Sequence

from onboarding.interventions.channel import Effect, Parcel, Result, Sent
from onboarding.interventions.types import Channel


class RecordingChannel:
    """`results` are said in turn, then everything is sent. The same parcel again is no second one
    where twice is once."""

    def __init__(
        self,
        channel: Channel,
        effect: Effect = Effect.KEYED,
        results: Sequence[Result] = (),
    ) -> None:
        self.channel = channel
        self.effect = effect
        self.taken: list[Parcel] = []
        self._results = list(results)

    async def send(self, parcel: Parcel) -> Result:
        result = self._results.pop(0) if self._results else Sent(parcel.id)
        known = any(each.id == parcel.id for each in self.taken)
        if isinstance(result, Sent) and not (known and self.effect is Effect.KEYED):
            self.taken.append(parcel)
        return result
