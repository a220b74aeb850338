"""The engine's guides as HTTP sees them: a signed-in person's, over the product's own states."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from api.shelf import Pause
from embark.onboarding_parts import Onboarding, reading_with
from embark.product_reading import ProductReading, person_of
from embark.records import Records, now
from guardrails.consent import Permission
from onboarding.engine.showing import Did, Page, Showing, ShowingParts
from onboarding.interventions.types import Silence
from onboarding.journeys import FOLDERS, Catalogue, FileKind, GuideMark, ShownGuide
from onboarding.store.interventions.store import DeliveryStore
from onboarding.store.journeys import CurrentCatalogues
from tools.types import Actor

if TYPE_CHECKING:
    from embark.acting import Hands

_PAUSES: Final[dict[Silence, Pause]] = {
    Silence.TYPING: "typing",
    Silence.FORM: "form",
    Silence.APPROVAL: "approval",
    Silence.PERSON: "person",
}
Waits = Callable[[Actor], Awaitable[bool]]
"""Whether a card waits for this person's own word."""


async def nothing_waits(_actor: Actor) -> bool:
    """Where nothing is acted on."""
    return False


@dataclass(frozen=True, slots=True)
class GuideParts:
    """`files` are those of the folder: whose media may be fetched."""

    showing: Showing
    product: ProductReading
    deliveries: DeliveryStore
    files: Catalogue
    folder: Path
    clock: Callable[[], datetime]
    waits: Waits = nothing_waits


def make_guides(onboarding: Onboarding, records: Records, hands: Hands | None) -> Guides:
    """Over what a server has open."""
    engine, folder = onboarding.engine, onboarding.files.folder
    read = reading_with(hands.registry if hands is not None else None)
    showing = ShowingParts(
        permission=Permission(records.books.reader),
        moments=engine.moments,
        catalogues=CurrentCatalogues(engine.stores.catalogues),
        progress=engine.stores.progress,
        clock=now,
    )
    return Guides(
        GuideParts(
            showing=Showing(showing),
            product=ProductReading(read, engine.states, now),
            deliveries=engine.stores.deliveries,
            files=onboarding.files.journeys,
            folder=folder / FOLDERS[FileKind.GUIDE],
            clock=now,
            waits=_waiting(hands) if hands is not None else nothing_waits,
        )
    )


def _waiting(hands: Hands) -> Waits:
    async def waits(actor: Actor) -> bool:
        cards = await hands.acting.desk.cards(actor)
        return any(card.who == actor.principal for card in cards)

    return waits


class Guides:
    """`api.guides.GuideShelf` of one tenant."""

    def __init__(self, parts: GuideParts) -> None:
        self._parts = parts
        self._media = frozenset(media_of(parts.files))

    async def on_page(self, actor: Actor, page: Page) -> tuple[ShownGuide, ...] | None:
        await self._parts.product.refresh(actor)
        return await self._parts.showing.of(person_of(actor), page)

    async def busy(self, actor: Actor) -> Pause | None:
        silences = await self._parts.deliveries.silences(person_of(actor), self._parts.clock())
        for silence, pause in _PAUSES.items():
            if silence in silences:
                return pause
        return "approval" if await self._parts.waits(actor) else None

    async def note(self, actor: Actor, ref: str, did: Did, stop: int) -> GuideMark | None:
        return await self._parts.showing.note(person_of(actor), ref, did, stop)

    def media(self, name: str) -> Path | None:
        file = self._parts.folder / name
        return file if name in self._media and file.is_file() else None


def media_of(catalogue: Catalogue) -> set[str]:
    """Every file that a guide names."""
    videos = [
        depth.video
        for guide in catalogue.guides.values()
        for depth in guide.depth.by_name().values()
        if depth.video is not None
    ]
    return {name for video in videos for name in (*video.file.values(), *video.captions.values())}
