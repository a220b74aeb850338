"""The floor as conversation and HTTP see it."""

from __future__ import annotations

from api.interventions import Messages
from embark.guidance import Guidance, GuidanceParts
from embark.product_reading import Read, reads_nothing
from onboarding.engine.building import new_id
from onboarding.interventions.links import Links
from onboarding.store.interventions import MessageDoor
from onboarding.store.interventions.contacts import MemoryContacts
from onboarding.store.interventions.door import DoorParts
from tests.contracts.consent import KEY
from tests.onboarding.engine.floor import Floor


def guidance_of(floor: Floor, read: Read = reads_nothing) -> Guidance:
    """What is decided goes nowhere else."""
    engine = floor.engine
    parts = GuidanceParts(
        advisor=engine.advisor,
        hearing=engine.hearing,
        moments=engine.moments,
        journeys=engine.journeys,
        outlooks=engine.outlooks,
        steps=floor.stores.steps,
        states=engine.states,
        actions=engine.files.actions,
        sentences=engine.files.sentences,
        signals=engine.files.signals,
        clock=floor.clock,
        new_id=new_id,
        record=lambda _row: None,
        questions=engine.questions,
        inviting=engine.inviting,
        read=read,
    )
    return Guidance(parts)


def messages_of(floor: Floor) -> Messages:
    links = Links("https://app.example/v1", KEY)
    contacts = MemoryContacts({})
    templates = floor.engine.files.templates
    store = floor.deliveries
    parts = DoorParts(floor.tenant, store, templates, links, contacts, KEY, floor.clock)
    return Messages(MessageDoor(parts), floor.clock)
