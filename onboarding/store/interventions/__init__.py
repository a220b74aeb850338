"""Message -> delivery log -> worker -> channel -> what became of it; event -> friction -> fix.

Adapters are not on this list: who wires imports them by file.
"""

from onboarding.store.interventions.aging import AgingDeliveries, AgingWatches
from onboarding.store.interventions.door import (
    DoorParts,
    InboxItem,
    MessageDoor,
    News,
    Touch,
)
from onboarding.store.interventions.helping import FrictionDesk
from onboarding.store.interventions.personal import PersonalDeliveries
from onboarding.store.interventions.store import Claim, DeliveryStore, Rules, Wanted
from onboarding.store.interventions.watches import WatchStore
from onboarding.store.interventions.worker import Worker, WorkerParts, WorkerPolicy

__all__ = [
    "AgingDeliveries",
    "AgingWatches",
    "Claim",
    "DeliveryStore",
    "DoorParts",
    "FrictionDesk",
    "InboxItem",
    "MessageDoor",
    "News",
    "PersonalDeliveries",
    "Rules",
    "Touch",
    "Wanted",
    "WatchStore",
    "Worker",
    "WorkerParts",
    "WorkerPolicy",
]
