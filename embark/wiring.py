"""settings -> the composed product: answerers, conversations and the Copilot over the found parts.

What finds stands in `embark/parts.py`, the write side of the index in `embark/indexing.py`; what is
opened here is closed here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
from pydantic import SecretStr
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from agent import (
    Budget,
    Conversations,
    Copilot,
    Deps,
    Grounding,
    MemoryConversations,
    sqlite_saver,
)
from agent.answerers.extractive import ExtractiveAnswerer
from embark import __version__
from embark.layers import ConfigurationError, UnreachableError, tracing_variables
from embark.parts import Finder, database_url, make_finder, make_redactor, open_finder, open_library
from embark.records import Records, open_records
from embark.redaction_parts import allow_terms_of, redaction_of
from embark.region_parts import check_regions, model_client, pin_of
from embark.settings import ModelSettings, Settings
from guardrails import GroundingPolicy, Redacted, Similarity
from guardrails.audit import AuditLog
from guardrails.regions import RegionPin
from retrieval.linear import load_model
from retrieval.types import Encoder

if TYPE_CHECKING:
    from agent.acting import Planner
    from agent.answerers.generative import GenerativeAnswerer
    from agent.deps import Acting
    from embark.acting import Hands
    from embark.onboarding_parts import Onboarding


@dataclass(frozen=True, slots=True)
class Product:
    """The composed product."""

    copilot: Copilot
    finder: Finder
    hands: Hands | None = None
    records: Records | None = None
    onboarding: Onboarding | None = None


@asynccontextmanager
async def open_copilot(settings: Settings, *, keep: bool = True) -> AsyncIterator[Product]:
    """Everything that answers; conversations are stored where `keep`, else in memory alone."""
    check_regions(settings)
    async with AsyncExitStack() as closing:
        finder = closing.enter_context(open_finder(settings))
        conversations = _stored(settings) if keep else MemoryConversations()
        closing.push_async_callback(conversations.close)
        deps = make_deps(settings, finder, conversations)
        hands = records = onboarding = None
        if keep:
            records = await closing.enter_async_context(open_records(settings))
            deps = replace(deps, record=records.writer.put)
        if records is not None and settings.actions.tools is not None:
            opening = _open_hands(settings, finder, records.books.audit)
            hands = await closing.enter_async_context(opening)
            deps = replace(deps, acting=hands.acting)
            allow_terms_of(finder.redactor, hands.registry.manifests())
        if records is not None and settings.onboarding.folder is not None:
            onboarding = await _open_onboarding(settings, records, hands, closing)
            deps = replace(
                deps, guide=onboarding.guidance, acting=_informed(deps.acting, onboarding)
            )
        waiting = sqlite_saver(checkpoints_file(settings)) if keep else nullcontext()
        copilot = Copilot(deps, await closing.enter_async_context(waiting))
        closing.push_async_callback(copilot.close)
        yield Product(copilot, finder, hands, records, onboarding)


def _open_hands(
    settings: Settings, finder: Finder, audit: AuditLog
) -> AbstractAsyncContextManager[Hands]:
    from embark.acting import open_hands

    return open_hands(settings, _planner(finder), audit)


async def _open_onboarding(
    settings: Settings, records: Records, hands: Hands | None, closing: AsyncExitStack
) -> Onboarding:
    from embark.onboarding_parts import Around, open_onboarding, reading_with
    from embark.receipts_parts import open_vault

    vault = hands.vault if hands is not None else closing.enter_context(open_vault(settings))
    read = reading_with(hands.registry if hands is not None else None)
    around = Around(vault, records.writer.put, read)
    return await closing.enter_async_context(open_onboarding(settings, records.books, around))


def _informed(acting: Acting | None, onboarding: Onboarding) -> Acting | None:
    """Planners know what onboarding does."""
    from embark.guidance import InformedFacts

    if acting is None:
        return None
    return replace(acting, facts=InformedFacts(acting.facts, onboarding.guidance))


def _planner(finder: Finder) -> Planner:
    from agent.acting.typed import TypedPlanner

    return TypedPlanner(finder.encoder)


def make_deps(settings: Settings, finder: Finder, conversations: Conversations) -> Deps:
    """What the Copilot is made of.

    Raises ConfigurationError when texts would leave through tracing, or the key file is missing.
    """
    if on := tracing_variables():
        raise ConfigurationError([f"{on[0]} sends every text away: unset it"])
    extractive = ExtractiveAnswerer(finder.encoder)
    generative = _generative(settings.model, pin_of(settings)) if settings.model else None
    policy = GroundingPolicy.fitted()
    return Deps(
        retriever=finder.retriever,
        answerer=generative or extractive,
        redactor=finder.redactor,
        grounding=Grounding(policy, _similarity(finder.encoder)),
        threshold=threshold_of(settings),
        conversations=conversations,
        clock=lambda: datetime.now(UTC),
        new_id=lambda: uuid4().hex,
        fallback=extractive if generative else None,
        budget=_budget(settings.model),
        sees=finder.library.sees,
        facts={
            "embark": __version__,
            "redaction": redaction_of(settings),
            **finder.versions,
            "grounding_policy": policy.digest,
            **({"prompt_version": generative.prompt_version} if generative else {}),
        },
    )


@contextmanager
def open_blank(settings: Settings) -> Iterator[Product]:
    """A product that describes itself but is asked nothing: the hashing encoder needs no model."""
    from retrieval.memory import HashEncoder

    with ExitStack() as closing:
        library = open_library(settings, closing)
        finder = make_finder(settings, HashEncoder(), library, make_redactor(settings))
        yield Product(Copilot(make_deps(settings, finder, MemoryConversations())), finder)


def _stored(settings: Settings) -> Conversations:
    from agent.conversations_sql import SqlConversations, open_engine, upgrade

    try:
        engine = open_engine(database_url(settings))
        upgrade(engine)
    except (ArgumentError, NoSuchModuleError) as failure:
        raise ConfigurationError([f"database.url: {failure}"]) from failure
    except SQLAlchemyError as failure:
        reason = str(failure).splitlines()[0]
        raise UnreachableError(f"the database of conversations: {reason}") from failure
    return SqlConversations(engine)


def checkpoints_file(settings: Settings) -> Path:
    """Where a paused run waits, in a folder that exists; the conversation is in the database."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return settings.data_dir / "checkpoints.sqlite"


def _budget(model: ModelSettings | None) -> Budget:
    if model is None:
        return Budget()
    return Budget(model.first_timeout_s, model.gap_timeout_s, model.total_timeout_s)


def _generative(model: ModelSettings, pin: RegionPin) -> GenerativeAnswerer:
    """Any endpoint that speaks OpenAI's protocol, in the region that everything stays in."""
    from langchain_openai import ChatOpenAI

    from agent.answerers.generative import GenerativeAnswerer

    chat = ChatOpenAI(
        base_url=model.base_url,
        model=model.name,
        api_key=SecretStr(_key(model) or "none"),  # local servers ask for none; the client does
        http_async_client=model_client(pin),
        timeout=httpx.Timeout(model.total_timeout_s, connect=model.connect_timeout_s),
        max_retries=model.retries,
        max_completion_tokens=model.max_output_tokens,
        temperature=0,
        stream_usage=True,
    )
    return GenerativeAnswerer(chat, model.name)


def _key(model: ModelSettings) -> str | None:
    try:
        return model.key()
    except OSError as failure:
        raise ConfigurationError([f"model.api_key_file: {failure}"]) from failure


EVEN_ODDS = 0.5
"""Threshold of a model without a risk table: an answer is then likelier true than not."""


def threshold_of(settings: Settings) -> float:
    """Least confidence that is answered: as set, else from the fitted model's table of risks.

    The table, `thresholds` in the model's origin, holds pairs of risk and threshold as measured
    when it was fitted; of the rows within the wanted risk the most permissive one is taken, and
    the strictest of all when none is.
    """
    if settings.answer.threshold is not None:
        return settings.answer.threshold
    table = load_model("retrieval", "answerability").origin.get("thresholds")
    if not isinstance(table, list) or not table:
        return EVEN_ODDS
    rows = [(float(risk), float(threshold)) for risk, threshold in table]
    within = [threshold for risk, threshold in rows if risk <= settings.answer.risk]
    return min(within) if within else max(threshold for _, threshold in rows)


def _similarity(encoder: Encoder) -> Similarity:
    def cosine(claims: Sequence[Redacted], evidence: Sequence[Redacted]) -> list[list[float]]:
        rows: list[list[float]] = (
            encoder.encode_passages(claims) @ encoder.encode_passages(evidence).T
        ).tolist()
        return rows

    return cosine
