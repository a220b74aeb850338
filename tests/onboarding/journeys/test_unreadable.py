"""What cannot be read costs a visitor that part alone, and is told to the operator."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from onboarding.journeys import Enrolment, FileKind, Source
from onboarding.store.journeys import CurrentCatalogues, Draft, JourneyDesk
from onboarding.store.journeys.catalogue_memory import MemoryCatalogues
from onboarding.store.journeys.progress_memory import MemoryProgress
from onboarding.types import Person
from tests.onboarding.journeys.files import GOAL, STEPS, TEXT, catalogue, journey, kit, play
from tests.onboarding.rules.worlds import NOW, TENANT, event, fact, world

ANA = Person(TENANT, "ana", "acme")
OWN = journey(GOAL, "kits: true", "priority: 5", "exclusive: first", steps=STEPS)
KIT = kit(
    "industry: fintech",
    "persona: admin",
    "action: apply_kit",
    f"compliance: [{{id: n, text: {TEXT}, source: PCI DSS}}]",
)
BROKEN = Source(FileKind.JOURNEY, "broken", 1, "journey: broken\nversion: one\n")
KNOWN = world([event("Connected")], facts=[fact("industry", "fintech"), fact("role", "admin")])


async def published(*sources: Source) -> MemoryCatalogues:
    files = MemoryCatalogues()
    await files.publish(TENANT, Draft(tuple(sources), "growth", NOW), None)
    return files


@pytest.mark.parametrize("ref", ["fintech-admin", "fintech-admin@", "fintech-admin@one", "@1", "@"])
async def test_a_kit_reference_that_is_none(ref: str) -> None:
    files = await published(*catalogue(OWN, KIT).sources)
    progress = MemoryProgress()
    await progress.enrol(Enrolment(ANA, "first", 1, NOW, kit=ref))
    desk = JourneyDesk(progress, CurrentCatalogues(files))
    with capture_logs() as logs:
        standing = await desk.standing(ANA, KNOWN)
        await desk.standing(ANA, KNOWN)
    assert standing is not None
    assert standing.composed.kit is None
    assert [step.id for step in standing.progress.steps] == ["connect", "view"]
    (told,) = [each for each in logs if each["event"] == "journeys.bad_kit_reference"]
    assert (told["log_level"], told["kit"]) == ("error", ref)


async def test_a_journey_that_cannot_be_read_leaves_the_others() -> None:
    files = await published(BROKEN, *catalogue(OWN, play(GOAL)).sources)
    desk = JourneyDesk(MemoryProgress(), CurrentCatalogues(files))
    with capture_logs() as logs:
        standing = await desk.standing(ANA, KNOWN)
        plays = await desk.plays(ANA, KNOWN, reached=True)
    assert standing is not None
    assert standing.enrolment.journey == "first"
    assert [each.enrolment.journey for each in plays] == ["push"]
    (told,) = [each for each in logs if each["event"] == "journeys.unreadable"]
    assert (told["log_level"], told["definition"]) == ("error", "journey broken@1")
    assert "version" in told["problem"]


async def test_who_is_on_a_version_that_cannot_be_read_begins_another() -> None:
    files = await published(BROKEN, *catalogue(OWN).sources)
    progress = MemoryProgress()
    await progress.enrol(Enrolment(ANA, "broken", 1, NOW))
    desk = JourneyDesk(progress, CurrentCatalogues(files))
    standing = await desk.standing(ANA, KNOWN)
    assert standing is not None
    assert standing.enrolment.journey == "first"


async def test_a_kit_that_cannot_be_read_is_none() -> None:
    broken = Source(FileKind.KIT, "fintech-admin", 1, "kit: fintech-admin\n")
    files = await published(broken, *catalogue(OWN).sources)
    progress = MemoryProgress()
    await progress.enrol(Enrolment(ANA, "first", 1, NOW, kit="fintech-admin@1"))
    standing = await JourneyDesk(progress, CurrentCatalogues(files)).standing(ANA, KNOWN)
    assert standing is not None
    assert standing.composed.kit is None


async def test_a_pointer_to_a_release_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    files = await published(*catalogue(OWN).sources)

    async def elsewhere(_tenant: str) -> int:
        return 9

    monkeypatch.setattr(files, "pointer", elsewhere)
    with capture_logs() as logs:
        assert (
            await JourneyDesk(MemoryProgress(), CurrentCatalogues(files)).standing(ANA, KNOWN)
            is None
        )
    assert [(each["event"], each["release"]) for each in logs] == [("journeys.no_release", 9)]
