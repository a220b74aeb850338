"""published files, people's ways -> SQL, or memory -> the desk: where a person stands.

`progress_sql`, `catalogue_sql` and their twins are chosen by who wires the process.
"""

from onboarding.store.journeys.current import CurrentCatalogues
from onboarding.store.journeys.desk import JourneyDesk, Standing, StepNotOpenError
from onboarding.store.journeys.keeping import AgingJourneys, PersonalJourneys
from onboarding.store.journeys.store import (
    CatalogueStore,
    Draft,
    EditedVersionError,
    Marks,
    ProgressStore,
    PublishError,
    Record,
    Release,
    StaleReleaseError,
    Switch,
    UnknownReleaseError,
)

__all__ = [
    "AgingJourneys",
    "CatalogueStore",
    "CurrentCatalogues",
    "Draft",
    "EditedVersionError",
    "JourneyDesk",
    "Marks",
    "PersonalJourneys",
    "ProgressStore",
    "PublishError",
    "Record",
    "Release",
    "StaleReleaseError",
    "Standing",
    "StepNotOpenError",
    "Switch",
    "UnknownReleaseError",
]
