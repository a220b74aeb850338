"""How long the rest of a journey takes, from those who went before."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from onboarding.journeys import Cohort, OfCohort, Outlook, cohort_of, outlook
from onboarding.store.journeys.desk import Standing
from onboarding.store.journeys.store import ProgressStore
from onboarding.types import View

LASTS: Final = timedelta(hours=1)
"""How long figures of a cohort are good."""


class Outlooks:
    """Raises StoreUnavailableError."""

    def __init__(self, progress: ProgressStore) -> None:
        self._progress = progress
        self._known: dict[tuple[str, str], tuple[datetime, Cohort]] = {}

    async def of(self, standing: Standing, view: View) -> Outlook:
        enrolment = standing.enrolment
        cohort = await self._cohort(enrolment.person.tenant, enrolment.journey, view.now)
        steps = standing.composed.actions
        return outlook(standing.progress, steps, cohort, OfCohort(cohort), view)

    async def _cohort(self, tenant: str, journey: str, now: datetime) -> Cohort:
        known = self._known.get((tenant, journey))
        if known is None or now - known[0] > LASTS:
            known = (now, cohort_of(await self._progress.ways(tenant, journey), now))
            self._known[tenant, journey] = known
        return known[1]
