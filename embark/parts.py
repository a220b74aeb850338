"""settings -> redactor, encoder, library, retriever: what finds, chosen and opened here.

A heavy library is imported in the branch that chooses it, so that nobody pays for one unasked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from embark.keys import master_key
from embark.settings import Settings
from guardrails import Redactor
from guardrails.policy import EntityPolicy, Treatment
from guardrails.tenancy import confine
from retrieval.access import WatchedLibrary
from retrieval.answerability import Answerability
from retrieval.encoding.recipe import FORMAT, read_manifest
from retrieval.encoding.source import PACKAGED, fingerprint_of, resolve
from retrieval.library import Library
from retrieval.linear import load_model
from retrieval.ranking import PageRanker
from retrieval.reranking import PageReranker
from retrieval.search import HybridRetriever, SearchPolicy
from retrieval.tags import Tags, TagsOf, tags_under
from retrieval.types import Encoder, Evidence, Reranker, Retriever, Scope

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from retrieval.server import Client


@dataclass(frozen=True, slots=True)
class Finder:
    """Question to evidence, without a conversation: what `embark search` needs."""

    redactor: Redactor
    encoder: Encoder
    library: Library
    retriever: Retriever
    versions: Mapping[str, str]
    """What found, by name: fingerprints of encoder and reranker, digests of the fitted models."""

    def find(self, text: str, scope: Scope) -> Evidence:
        """Raises what `Retriever.retrieve` raises."""
        return self.retriever.retrieve(self.redactor.redact(text).text, scope)


@contextmanager
def open_finder(settings: Settings) -> Iterator[Finder]:
    """Redactor, encoder, library and retriever, open until the context ends."""
    with ExitStack() as closing:
        from embark.redaction_parts import open_redactor

        library = open_library(settings, closing)
        redactor = open_redactor(settings, library, closing)
        yield make_finder(settings, open_encoder(settings), library, redactor)


def make_finder(
    settings: Settings, encoder: Encoder, library: Library, redactor: Redactor
) -> Finder:
    """The retriever and its fitted models over these parts."""
    fitted = {name: load_model("retrieval", name) for name in ("ranking", "blend", "answerability")}
    reranker = open_reranker(settings)
    retriever = HybridRetriever(
        library,
        encoder,
        PageRanker(fitted["ranking"]),
        PageReranker(reranker, fitted["blend"]),
        Answerability(fitted["answerability"]),
        SearchPolicy(passages=settings.answer.passages),
    )
    versions = {
        "encoder": encoder.fingerprint,
        "reranker": reranker.fingerprint,
        **{f"{name}_model": model.digest for name, model in fitted.items()},
    }
    return Finder(redactor, encoder, library, retriever, versions)


def open_encoder(settings: Settings) -> Encoder:
    """The sentence encoder; converts the model into the data folder on first use (seconds).

    Raises ModelNotFoundError, DamagedModelError, ConversionError.
    """
    if settings.encoder.backend == "hash":
        from retrieval.memory import HashEncoder

        return HashEncoder()
    from retrieval.encoder import load_encoder

    return load_encoder(
        settings.encoder.model or PACKAGED,
        cache=encoder_folder(settings),
        allow_download=settings.encoder.allow_download,
        threads=settings.encoder.threads or None,
    )


def open_reranker(settings: Settings) -> Reranker:
    """The cross-encoder, converted into the data folder on first use (seconds).

    Raises ModelNotFoundError, DamagedModelError, ConversionError.
    """
    if settings.encoder.backend == "hash":
        from retrieval.memory import OverlapReranker

        return OverlapReranker()
    from retrieval.reranker import load_reranker

    return load_reranker(cache=encoder_folder(settings), threads=settings.encoder.threads or None)


def encoder_folder(settings: Settings) -> Path:
    """Where converted models stand."""
    return settings.data_dir / "encoder"


def encoder_is_converted(settings: Settings) -> bool:
    """Whether commands start without torch. Raises ModelNotFoundError, DamagedModelError."""
    if settings.encoder.backend == "hash":
        return True
    source = resolve(settings.encoder.model or PACKAGED, allow_download=False)
    target = encoder_folder(settings) / f"{fingerprint_of(source)}-{FORMAT}"
    return read_manifest(target) is not None


def make_redactor(settings: Settings) -> Redactor:
    """Patterns; through Presidio, four seconds to import, where it is asked for."""
    policy = entity_policy(settings)
    if settings.redaction.engine == "presidio":
        from guardrails.redaction import PresidioRedactor

        return PresidioRedactor(policy=policy)
    from guardrails.patterns import PatternRedactor

    return PatternRedactor(policy=policy)


def entity_policy(settings: Settings) -> EntityPolicy:
    """What becomes of each kind of personal data."""
    named = settings.redaction.entities
    return EntityPolicy({type: Treatment(of) for type, of in named.items()})


def index_folder(settings: Settings) -> Path:
    """Where the versions of the embedded index stand."""
    return settings.data_dir / "index"


def index_writer(settings: Settings) -> str | None:
    """Who holds the writer's lock now."""
    from retrieval.folders import Folders

    holder = Folders(index_folder(settings)).writer()
    return None if holder is None else str(holder)


@contextmanager
def open_library_of(settings: Settings) -> Iterator[Library]:
    """The read side of the index alone, without an encoder."""
    with ExitStack() as closing:
        yield open_library(settings, closing)


def open_library(settings: Settings, closing: ExitStack) -> Library:
    """Folders in the process by default, collections of a Qdrant server where one is named; in
    both nothing is seen that was revoked."""
    from embark.access_parts import open_access

    if settings.index.kind == "server":
        from retrieval.collections import ServerLibrary

        client, engine = open_stores(settings, closing)
        library: Library = ServerLibrary(client, engine, tags_of(settings))
    else:
        from retrieval.versions import EmbeddedLibrary

        library = EmbeddedLibrary(index_folder(settings), tags_of(settings))
    closing.callback(library.close)
    return WatchedLibrary(library, open_access(settings, closing))


def tags_of(settings: Settings) -> TagsOf:
    """Tags under the master key, which is read, or made, when a version is first opened."""

    @cache
    def under_key() -> TagsOf:
        return tags_under(master_key(settings))

    def of(version: str) -> Tags:
        return under_key()(version)

    return of


def open_stores(settings: Settings, closing: ExitStack) -> tuple[Client, Engine]:
    """The Qdrant server, and the main database with the text of its chunks."""
    from sqlalchemy import create_engine

    from retrieval.server import connect

    client = connect(settings.index.url or "", api_key=settings.index.key())
    closing.callback(client.close)
    engine = create_engine(database_url(settings))
    confine(engine)
    closing.callback(engine.dispose)
    return client, engine


def database_url(settings: Settings) -> str:
    """The configured address, else SQLite in the data folder, which is created."""
    if settings.database.url is not None:
        return settings.database.url.get_secret_value()
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return f"sqlite:///{settings.data_dir / 'embark.sqlite'}"
