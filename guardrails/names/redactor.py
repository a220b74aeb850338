"""Patterns and names together, as the redactor of a turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from guardrails.documents import without_published
from guardrails.masking import FAILURES, joined, mask, masked_whole
from guardrails.names.allowed import AllowList, common_terms
from guardrails.names.types import NameFinder
from guardrails.policy import EntityPolicy
from guardrails.recognizers import RECOGNIZERS, Recognizer, view
from guardrails.types import Redaction, Span

_PUBLIC = frozenset({"LOCATION", "ORGANIZATION"})


def _unpublished(_value: str) -> bool:
    return False


class NameRedactor:
    """Masks what recognisers and a finder of names find, each entity as the policy has it.

    `redact` raises TurnRefusedError where the policy refuses an entity or no worker is there.
    `published` says whether the documentation holds a name. Names in documentation itself stay: who
    publishes them has decided. Thread-safe if the finder is.
    """

    def __init__(
        self,
        names: NameFinder,
        *,
        allowed: AllowList | None = None,
        published: Callable[[str], bool] | None = None,
        policy: EntityPolicy | None = None,
        recognizers: Sequence[Recognizer] = RECOGNIZERS,
    ) -> None:
        self._policy = policy or EntityPolicy()
        self._names = names
        self._allowed = AllowList(common_terms()) if allowed is None else allowed
        self._published = published or _unpublished
        self._recognizers = tuple(recognizers)

    def allow(self, terms: Iterable[str]) -> None:
        """Product terms from now on, beside those that are known."""
        self._allowed = self._allowed.with_more(terms)

    def redact(self, text: str) -> Redaction:
        try:
            found = [*self._patterns(text), *self._named(text)]
            return mask(text, joined(self._policy.kept(found)), self._policy.unkept)
        except FAILURES:
            return masked_whole(text)

    def redact_document(self, text: str) -> Redaction:
        try:
            return mask(text, joined(without_published(text, self._patterns(text))))
        except FAILURES:
            return masked_whole(text)

    def _named(self, text: str) -> list[Span]:
        """Names but for product terms; a company or place that the docs speak of is one, a person
        is not."""
        return [
            span
            for span in self._allowed.without(text, self._names.find(text))
            if span.type not in _PUBLIC or not self._published(text[span.start : span.end])
        ]

    def _patterns(self, text: str) -> list[Span]:
        seen = view(text)
        return [span for recognizer in self._recognizers for span in recognizer.find(seen)]
