"""What files are held against: names that exist, languages spoken, and what is published."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from onboarding.events import EventCatalogue, FieldType
from onboarding.journeys.catalogue import Catalogue, Source
from onboarding.journeys.format import Texts
from onboarding.rules import Form, Place, Problem, Typed, Vocabulary

LOCALES = ("en", "de")


@dataclass(frozen=True, slots=True)
class Known:
    """Sets that are None are not known here, and nothing is held against them. `media` are files
    of guides, by their path."""

    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    actions: frozenset[str] | None = None
    flows: frozenset[str] | None = None
    templates: frozenset[str] | None = None
    metrics: frozenset[str] | None = None
    media: frozenset[str] | None = None
    locales: tuple[str, ...] = LOCALES


@dataclass(frozen=True, slots=True)
class Published:
    """What stands in the store: texts by kind, name and version, ever; and what is current."""

    ever: Mapping[tuple[str, str, int], Source] = field(
        default_factory=lambda: MappingProxyType({})
    )
    current: Mapping[tuple[str, str], int] = field(default_factory=lambda: MappingProxyType({}))

    def journey(self, name: str, version: int) -> Source | None:
        return self.ever.get(("journey", name, version)) or self.ever.get(("play", name, version))


_FORMS: Mapping[FieldType, Form] = MappingProxyType(
    {
        FieldType.STRING: Form.TEXT,
        FieldType.TIME: Form.TEXT,
        FieldType.INTEGER: Form.NUMBER,
        FieldType.NUMBER: Form.NUMBER,
        FieldType.BOOLEAN: Form.FLAG,
    }
)


def event_names(catalogue: EventCatalogue) -> dict[str, dict[str, Typed]]:
    """Events and their fields for a vocabulary; lists of texts cannot be compared, so they are
    left out."""
    return {
        name: {
            spec.name: Typed(_FORMS[spec.type], frozenset(spec.values))
            for spec in contract.fields.values()
            if spec.type in _FORMS
        }
        for name, contract in catalogue.contracts.items()
    }


def widened(vocabulary: Vocabulary, catalogue: Catalogue) -> Vocabulary:
    """With the experiments and steps that the files themselves name."""
    journeys = (*catalogue.journeys.values(), *catalogue.plays.values())
    declared = {
        each.experiment.id: frozenset(each.experiment.arms) for each in journeys if each.experiment
    }
    steps = {step.id for each in journeys for step in each.steps}
    steps |= {step.id for kit in catalogue.kits.values() for step in kit.steps}
    return replace(
        vocabulary,
        experiments={**vocabulary.experiments, **declared},
        steps=vocabulary.steps | steps,
    )


def untranslated(texts: Texts, place: Place, locales: Iterable[str]) -> Iterator[Problem]:
    """One for each language that lacks the text, or has it empty."""
    for locale in locales:
        if not texts.get(locale, "").strip():
            yield Problem(place, "missing_translation", f"there is no text in {locale}")
