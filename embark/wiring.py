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
from embark.parts import Finder, database_url, make_finder, open_finder, open_library
from embark.settings import ModelSettings, Settings
from guardrails import GroundingPolicy, Redacted, Similarity
from retrieval.linear import load_model
from retrieval.types import Encoder

if TYPE_CHECKING:
    from agent.acting import Planner
    from agent.answerers.generative import GenerativeAnswerer
    from embark.acting import Hands


@dataclass(frozen=True, slots=True)
class Product:
    """The composed product."""

    copilot: Copilot
    finder: Finder
    hands: Hands | None = None


@asynccontextmanager
async def open_copilot(settings: Settings, *, keep: bool = True) -> AsyncIterator[Product]:
    """Everything that answers; conversations are stored where `keep`, else in memory alone."""
    async with AsyncExitStack() as closing:
        finder = closing.enter_context(open_finder(settings))
        conversations = _stored(settings) if keep else MemoryConversations()
        closing.push_async_callback(conversations.close)
        deps = make_deps(settings, finder, conversations)
        hands = None
        if keep and settings.actions.tools is not None:
            hands = await closing.enter_async_context(_open_hands(settings, finder))
            deps = replace(deps, acting=hands.acting)
        waiting = sqlite_saver(checkpoints_file(settings)) if keep else nullcontext()
        copilot = Copilot(deps, await closing.enter_async_context(waiting))
        closing.push_async_callback(copilot.close)
        yield Product(copilot, finder, hands)


def _open_hands(settings: Settings, finder: Finder) -> AbstractAsyncContextManager[Hands]:
    from embark.acting import open_hands

    return open_hands(settings, _planner(finder))


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
    generative = _generative(settings.model) if settings.model else None
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
        facts={
            "embark": __version__,
            "redaction": settings.redaction.engine,
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
        finder = make_finder(settings, HashEncoder(), open_library(settings, closing))
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


def _generative(model: ModelSettings) -> GenerativeAnswerer:
    """Any endpoint that speaks OpenAI's protocol."""
    from langchain_openai import ChatOpenAI

    from agent.answerers.generative import GenerativeAnswerer

    chat = ChatOpenAI(
        base_url=model.base_url,
        model=model.name,
        api_key=SecretStr(_key(model) or "none"),  # local servers ask for none; the client does
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
