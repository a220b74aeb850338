"""What readiness looks at: the index, the database, the encoder."""

from __future__ import annotations

from anyio.to_thread import run_sync
from sqlalchemy.exc import SQLAlchemyError

from agent import ConversationError
from api.assistant import Assistant
from api.context import Check, Probe
from guardrails import literal
from retrieval.index import RetrievalError
from retrieval.library import Library
from retrieval.types import Encoder

_NOBODY = "readiness"  # a thread id that no client makes: reading it finds nothing


def index_probe(library: Library) -> Probe:
    """Ready when a version can be leased."""

    def version() -> str:
        with library.lease() as snapshot:
            return snapshot.version

    async def look() -> Check:
        try:
            return Check(True, await run_sync(version))
        except RetrievalError as error:
            return Check(False, str(error))

    return look


def database_probe(assistant: Assistant, tenant: str) -> Probe:
    """Ready when a conversation can be read, which also needs the migrations to have run."""

    async def look() -> Check:
        try:
            await assistant.conversation(tenant, _NOBODY)
        except (ConversationError, SQLAlchemyError) as error:
            return Check(False, type(error).__name__)
        return Check(True, "conversations can be read")

    return look


def encoder_probe(encoder: Encoder) -> Probe:
    """Ready when a word can be encoded; names the model."""
    word = literal("ready")

    async def look() -> Check:
        vector = await run_sync(encoder.encode_query, word)
        return Check(vector.shape == (encoder.dimension,), encoder.fingerprint)

    return look
