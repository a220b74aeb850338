"""settings -> what masks a person's words: patterns, and names found by workers that may be killed.

Documentation is masked by `make_redactor` alone: names in it were published on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from embark.parts import encoder_folder, entity_policy, make_redactor
from embark.settings import Settings
from guardrails import Redactor
from guardrails.names.allowed import AllowList, common_terms
from guardrails.names.redactor import NameRedactor
from retrieval.index import RetrievalError
from retrieval.library import Library
from retrieval.representation import terms
from tools.types import Manifest

if TYPE_CHECKING:
    from guardrails.names.pool import NamePool

_PUBLISHED = 2
"""Chunks of documentation that must hold a word for it to be the product's."""


def looks_for_names(settings: Settings) -> bool:
    """`auto` does where the encoder is the real one."""
    engine = settings.redaction.engine
    return engine == "names" or (engine == "auto" and settings.encoder.backend == "auto")


def redaction_of(settings: Settings) -> str:
    """What masks, for the record of a decision."""
    if not looks_for_names(settings):
        return "presidio" if settings.redaction.engine == "presidio" else "patterns"
    if settings.redaction.model is not None:
        return f"names-{settings.redaction.model}"
    from retrieval.name_tagger import shipped

    return f"names-{shipped()['sha256'][:12]}"


def open_redactor(settings: Settings, library: Library | None, closing: ExitStack) -> Redactor:
    """Raises EncoderError where names are looked for and their model cannot be made."""
    if not looks_for_names(settings):
        return make_redactor(settings)
    pool = open_names(settings, closing)
    return NameRedactor(
        pool,
        allowed=AllowList((*common_terms(), *settings.redaction.terms)),
        published=_Published(library, settings.tenant) if library is not None else None,
        policy=entity_policy(settings),
    )


def allow_terms_of(redactor: Redactor, tools: Iterable[Manifest]) -> None:
    """What tools may be told to choose from is the product's: plans, roles, kinds of connection."""
    if isinstance(redactor, NameRedactor):
        redactor.allow(term for tool in tools for term in _choosable(tool.schema))


def _choosable(schema: object) -> Iterator[str]:
    """Strings of every enumeration in a JSON schema."""
    if isinstance(schema, Mapping):
        listed = schema.get("enum")
        yield from (
            (each for each in listed if isinstance(each, str)) if isinstance(listed, list) else ()
        )
        for part in schema.values():
            yield from _choosable(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _choosable(part)


def open_names(settings: Settings, closing: ExitStack, delta: Path | None = None) -> NamePool:
    """Workers on the shipped model, or on that of `delta`; they start behind the caller's back."""
    from guardrails.names.pool import NamePool, PoolPolicy
    from retrieval import name_models
    from retrieval.name_tagger import converted_names, run, shipped, told_of

    policy = PoolPolicy(workers=settings.redaction.workers)
    if settings.redaction.model is not None and delta is None:
        kind, _, model = settings.redaction.model.partition(":")
        name_models.check(kind, model)
        return closing.enter_context(NamePool(name_models.run, (kind, model), policy))
    told = shipped() if delta is None else told_of(delta)
    folder = converted_names(encoder_folder(settings), delta)
    return closing.enter_context(NamePool(run, (str(folder), str(told["lean"])), policy))


class _Published:
    """Whether every word of a name stands in the documentation that is current now."""

    def __init__(self, library: Library, tenant: str) -> None:
        self._library = library
        self._tenant = tenant

    def __call__(self, value: str) -> bool:
        words = terms(value)
        try:
            with self._library.lease() as snapshot:
                held = snapshot.chunks.document_frequencies(self._tenant, words)
        except RetrievalError:
            return False  # nothing is known to be published: what was found is masked
        return bool(words) and all(held.get(word, 0) >= _PUBLISHED for word in words)
