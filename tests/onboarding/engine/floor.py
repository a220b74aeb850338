"""The engine over Harbor's files, in memory or over SQL: events go in as messages, people are
advised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine as Database

from embark.onboarding_parts import stores_of
from guardrails.consent import Channel, Purpose, Statement
from guardrails.consent.memory import MemoryConsents
from onboarding.engine.advising import Advice, Asking
from onboarding.engine.building import Engine, Outside, Stores, build
from onboarding.engine.files import Files, load_files
from onboarding.engine.following import Follower
from onboarding.events.intake import Intake, IntakeParts, Sender
from onboarding.events.memory import MemoryEventLog
from onboarding.events.quarantine import Quarantine
from onboarding.events.verdicts import Status
from onboarding.features.memory import MemoryFeatures
from onboarding.features.updating import FeatureUpdater
from onboarding.journeys import Source
from onboarding.ranking import Policy
from onboarding.store.events.log import SqlEventLog
from onboarding.store.events.quarantine import SqlQuarantine
from onboarding.store.interventions.memory import MemoryDeliveries
from onboarding.store.interventions.sql import SqlDeliveries
from onboarding.store.interventions.watches import MemoryWatches
from onboarding.store.journeys.catalogue_memory import MemoryCatalogues
from onboarding.store.journeys.progress_memory import MemoryProgress
from onboarding.store.journeys.store import Draft
from onboarding.store.profile.graph_memory import MemoryGraph
from onboarding.store.profile.memory import MemoryProfiles
from onboarding.store.ranking.memory import MemoryChampions, MemoryNextSteps
from onboarding.store.ranking.registry import ModelFolder
from onboarding.store.ranking.silences import MemorySilences
from onboarding.types import Person
from tests.contracts.consent import KEY
from tests.contracts.events import mac
from tests.onboarding.events.parts import OpenSeal

HARBOR = Path(__file__).parents[3] / "examples" / "harbor" / "onboarding"
TENANT = "harbor"
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CALM = Policy(nothing=0.0, explore=0.0)
"""Nothing is left to chance."""
EVERY_RIGHT = frozenset(
    {
        *("connections.manage", "imports.run", "dashboards.edit", "members.invite"),
        *("alerts.manage", "kits.apply"),
        *("security.manage", "alerts.edit", "keys.manage", "billing.manage"),
    }
)


@cache
def files() -> Files:
    return load_files(HARBOR)


@dataclass
class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.now.timestamp()


@dataclass
class Floor:
    """`await Floor.open()`; then people live on it."""

    clock: Clock = field(default_factory=Clock)
    consents: MemoryConsents = field(default_factory=lambda: MemoryConsents(KEY))
    policy: Policy = CALM
    tenant: str = TENANT
    models: Path = Path("/nowhere")
    database: Database | None = None
    sent: int = 0

    def __post_init__(self) -> None:
        memory, deliveries = MemoryEventLog(mac), MemoryDeliveries()
        self.deliveries = deliveries
        self.stores = Stores(
            log=memory,
            features=MemoryFeatures(),
            profiles=MemoryProfiles(),
            graph=MemoryGraph(),
            progress=MemoryProgress(),
            catalogues=MemoryCatalogues(),
            steps=MemoryNextSteps(),
            champions=MemoryChampions(),
            deliveries=deliveries,
            watches=MemoryWatches(deliveries),
            silences=MemorySilences(),
        )
        self.log: MemoryEventLog | SqlEventLog = memory
        quarantine: Quarantine = memory
        if self.database is not None:
            self.log, quarantine = SqlEventLog(self.database, mac), SqlQuarantine(self.database)
            self.stores = stores_of(self.database, self.log, SqlDeliveries(self.database))
        self.engine = self.another()
        self.intake = Intake(
            IntakeParts(files().events, self.log, quarantine, self.consents, OpenSeal())
        )

    @classmethod
    async def open(cls, **more: Any) -> Floor:
        floor = cls(**more)
        await floor.publish()
        return floor

    def another(self) -> Engine:
        """A second server on the same stores."""
        outside = Outside(
            self.tenant,
            self.clock,
            self.consents,
            ModelFolder(self.models),
            timer=self.clock.monotonic,
            policy=self.policy,
        )
        return build(self.stores, files(), outside)

    async def publish(self) -> None:
        draft = Draft(files().journeys.sources, "tests", self.clock())
        await self.stores.catalogues.publish(self.tenant, draft, None)

    async def publish_edited(self, journey: str, more: str) -> None:
        """The next version of one journey, with `more` at the end of its steps."""
        sources = []
        for each in files().journeys.sources:
            text = each.text
            if each.name == journey:
                text = text.replace("version: 1\n", "version: 2\n").replace("caps:", f"{more}caps:")
                each = Source(each.kind, each.name, 2, text, each.path)  # noqa: PLW2901
            sources.append(each)
        number = await self.stores.catalogues.pointer(self.tenant)
        draft = Draft(tuple(sources), "tests", self.clock())
        await self.stores.catalogues.publish(self.tenant, draft, number)

    async def agrees(
        self, user: str, *, given: bool = True, to: Purpose = Purpose.PRODUCT_ANALYTICS
    ) -> None:
        said = Statement(
            self.tenant, user, to, given, "v1", Channel.PREFERENCES, self.clock(), user,
        )  # fmt: skip
        await self.consents.record(said)

    async def tells(self, user: str, event: str, account: str = "acme", **properties: Any) -> None:
        """As Harbor does, and everybody who follows the log has followed."""
        self.sent += 1
        await self._take(
            {
                "type": "track",
                "event": event,
                "userId": user,
                "messageId": f"m-{self.sent}",
                "timestamp": self.clock().isoformat(),
                "context": {"groupId": account, "locale": "en-GB"},
                "properties": properties,
            }
        )

    async def identifies(self, user: str, account: str = "acme", **traits: Any) -> None:
        self.sent += 1
        await self._take(
            {
                "type": "identify",
                "userId": user,
                "messageId": f"m-{self.sent}",
                "timestamp": self.clock().isoformat(),
                "context": {"groupId": account},
                "traits": traits,
            }
        )

    async def _take(self, message: Mapping[str, Any]) -> None:
        (result,) = await self.intake.take(Sender(self.tenant), [message], self.clock())
        assert result.status is Status.STORED, result
        await self.follows()

    async def follows(self) -> None:
        hearing = self.engine.hearing
        updater = FeatureUpdater(self.log, self.stores.features, files().features, self.tenant)
        await updater.catch_up()
        for group, handle in (
            ("people", hearing.learn),
            ("progress", hearing.advance),
            ("friction", hearing.help),
            ("silences", self.engine.silences.hear),
        ):
            while await Follower(self.log, self.tenant, group, handle).step():
                pass

    def later(self, **time: float) -> None:
        self.clock.now += timedelta(**time)

    async def advice(
        self, user: str = "ana", account: str | None = "acme", engine: Engine | None = None
    ) -> Advice:
        found = await (engine or self.engine).advisor.advise(
            Asking(Person(self.tenant, user, account), self.clock(), EVERY_RIGHT)
        )
        assert found is not None
        return found
