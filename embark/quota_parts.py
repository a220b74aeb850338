"""settings -> quotas, and the model on the account of whoever asks."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from typing_extensions import override

from agent.answerers.generative import PROMPT
from agent.prompts import prompt
from agent.types import Answerer, AnswererError, Draft, Spent, Utterance
from api import quotas_sql
from api.guarding import Guard
from api.quotas import GuardedBuckets, MemoryBuckets, Quotas, Rate, Rates
from api.quotas_sql import SqlBuckets, SqlPurse
from api.spending import Caps, MemoryPurse, Spending
from embark.layers import ConfigurationError, UnreachableError
from embark.parts import database_url
from embark.settings import CapSettings, ModelSettings, RateSettings, Settings
from embark.settings_people import Store
from guardrails import Redacted
from retrieval.types import Passage
from tools.store.engine import open_engine

MILLION = 1_000_000
"""Prices are of a million tokens, amounts in millionths: a token costs its price."""
FRAME_BYTES = 512
"""Fences around passages and what the protocol adds, by a wide margin."""


def is_shared(settings: Settings, store: Store) -> bool:
    """Whether it lies in the database, where several processes find it."""
    if store != "auto":
        return store == "database"
    url = settings.database.url
    return url is not None and url.get_secret_value().startswith("postgresql")


def open_shared(settings: Settings) -> Engine:
    """The main database. Raises ConfigurationError, UnreachableError."""
    try:
        engine = open_engine(database_url(settings))
    except (ArgumentError, NoSuchModuleError) as failure:
        raise ConfigurationError([f"database.url: {failure}"]) from failure
    try:
        quotas_sql.prepare(engine)
    except DBAPIError as failure:
        engine.dispose()
        raise UnreachableError(f"the database of quotas: {failure.orig}") from failure
    return engine


def make_quotas(settings: Settings, engine: Engine | None) -> Quotas:
    """Over this database, or in memory."""
    chosen = settings.quotas
    rates = Rates(
        tenant=_rate(chosen.tenant),
        user=_rate(chosen.user),
        address=_rate(chosen.address),
        anonymous=_rate(chosen.anonymous),
    )
    if engine is None:
        return Quotas(settings.tenant, rates, MemoryBuckets(), time.monotonic)
    shared = GuardedBuckets(SqlBuckets(engine), Guard("quotas", time.monotonic))
    return Quotas(settings.tenant, rates, shared, time.time)


def make_spending(settings: Settings, engine: Engine | None) -> Spending | None:
    """None where no cap is set."""
    chosen = settings.quotas.daily
    caps = Caps(_millionths(chosen.tenant), _millionths(chosen.user), _millionths(chosen.anonymous))
    if not any(cap is not None for cap in caps):
        return None
    purse = MemoryPurse() if engine is None else SqlPurse(engine)
    return Spending(caps, purse, lambda: datetime.now(UTC), Guard("spending", time.monotonic))


def _rate(chosen: RateSettings) -> Rate:
    return Rate(chosen.per_s, chosen.burst)


def _millionths(amount: float | None) -> int | None:
    return None if amount is None else int(amount * MILLION)


@dataclass(frozen=True, slots=True)
class Prices:
    """Of one token, in millionths; `most_output` is what the model is allowed to write."""

    input: float
    output: float
    most_output: int

    @classmethod
    def of(cls, chosen: CapSettings, model: ModelSettings) -> Prices:
        return cls(chosen.input_price, chosen.output_price, model.max_output_tokens)

    def cost(self, usage: Counter[str]) -> int:
        """Of a call that said what it used."""
        spent = usage["input_tokens"] * self.input + usage["output_tokens"] * self.output
        return math.ceil(spent)

    def most(self, texts: Sequence[str]) -> int:
        """Of a call that reads these. No tokeniser makes more tokens than there are bytes."""
        read = sum(len(text.encode()) for text in texts) + FRAME_BYTES * (1 + len(texts))
        return self.cost(Counter(input_tokens=read, output_tokens=self.most_output))


@dataclass(frozen=True, slots=True)
class Metered:
    """A model's answerer that costs money, and the purse that pays."""

    answerer: Answerer
    spending: Spending
    prices: Prices

    def paid_by(self, tenant: str, subject: str | None) -> Answerer:
        """The answerer of one question. It fails before the model is called when no money is left,
        so that the fallback answers."""
        return _Paid(self, tenant, subject)


class _Paid(Answerer):
    def __init__(self, metered: Metered, tenant: str, subject: str | None) -> None:
        self._metered = metered
        self._tenant = tenant
        self._subject = subject

    @property
    @override
    def name(self) -> str:
        return self._metered.answerer.name

    @override
    async def draft(
        self, question: Redacted, passages: Sequence[Passage], history: Sequence[Utterance]
    ) -> AsyncGenerator[Draft | Spent, None]:
        """Raises AnswererError, also when the daily cap is reached."""
        spending, prices = self._metered.spending, self._metered.prices
        most = prices.most(_read(question, passages, history))
        hold = await spending.hold(self._tenant, self._subject, most)
        if hold is None:
            raise AnswererError("the daily cap of model calls is reached")
        cost, began = most, False  # a call that is cut short was made, and does not say its cost
        drafts = self._metered.answerer.draft(question, passages, history)
        try:
            async for item in drafts:
                began = True
                if isinstance(item, Spent) and item.usage:
                    cost = prices.cost(Counter(item.usage))
                yield item
        except AnswererError:
            if not began:
                cost = 0  # providers charge nothing for a call that they refuse
            raise
        finally:
            await _close(drafts)
            await spending.settle(hold, cost)


async def _close(drafts: AsyncIterator[Draft | Spent]) -> None:
    """Async generators hold connections: closing them lets go at once, not at collection."""
    close = getattr(drafts, "aclose", None)
    if close is not None:
        await close()


def _read(
    question: Redacted, passages: Sequence[Passage], history: Sequence[Utterance]
) -> list[str]:
    """Everything that goes into the prompt."""
    shown = [
        "".join((each.chunk.title, *each.chunk.heading_path, each.chunk.text)) for each in passages
    ]
    return [prompt(PROMPT), question, *shown, *(said.text for said in history)]
