"""A folder of data files -> everything that a host defines of its onboarding, checked together.

FOLDER/events, features      what happens in the product, and what is counted of it
       profile               what is read from events about people
       actions               what can be done next, with texts
       journeys, plays, kits, guides
       friction              the host's own signals and detectors
       templates             texts of messages
       states.yaml           what rules may ask of the product
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from onboarding.actions import Catalogue as Actions
from onboarding.actions import Texts, load_texts
from onboarding.actions import load_catalogue as load_actions
from onboarding.events import SHIPPED as SHIPPED_EVENTS
from onboarding.events import EventCatalogue
from onboarding.events import load_catalogue as load_events
from onboarding.features import SHIPPED as SHIPPED_FEATURES
from onboarding.features import FeatureSet, load_features
from onboarding.interventions.detecting import Detectors
from onboarding.interventions.signals import Signals
from onboarding.interventions.templating import FOLDER as SHIPPED_TEMPLATES
from onboarding.interventions.templating import Templates
from onboarding.journeys import Catalogue, States, load_folder, read_states
from onboarding.journeys.lint import event_names, widened
from onboarding.profile import (
    Mind,
    Words,
    load_beliefs,
    load_evidence,
    load_facts,
    load_graph,
    load_models,
    load_questions,
)
from onboarding.profile.growing import GraphFile
from onboarding.profile.inviting import InviteFile, load_invites
from onboarding.profile.questions import QuestionFile
from onboarding.ranking.sentences import Sentences, approved
from onboarding.rules import DataFile, Form, Typed, Vocabulary, read_data

NO_ACTIONS: Final = Actions("none", 1, (), Texts())


@dataclass(frozen=True, slots=True)
class Files:
    """`journeys` are those of the folder: what is served is what was published of them."""

    folder: Path
    events: EventCatalogue
    features: FeatureSet
    mind: Mind
    words: Words
    questions: QuestionFile
    edges: GraphFile
    invites: InviteFile | None
    actions: Actions
    journeys: Catalogue
    states: States | None
    vocabulary: Vocabulary
    detectors: Detectors
    signals: Signals
    templates: Templates
    sentences: Sentences


def load_files(folder: Path) -> Files:
    """Raises DataFileError with file, line and column of each mistake."""
    events = load_events(SHIPPED_EVENTS, *_there(folder / "events"))
    features = load_features(events, SHIPPED_FEATURES, *_there(folder / "features"))
    facts = load_facts(_file(folder / "profile" / "facts.yaml"))
    journeys = load_folder(folder)
    states = read_states(folder / "states.yaml") if _file(folder / "states.yaml") else None
    vocabulary = widened(
        Vocabulary(
            events=event_names(events),
            features={name: Typed(Form.NUMBER) for name in features.names},
            facts={name: frozenset(kind.values) for name, kind in facts.facts.items()},
            states=states.typed() if states is not None else {},
        ),
        journeys,
    )
    profile = folder / "profile"
    return Files(
        folder=folder,
        events=events,
        features=features,
        mind=Mind(
            facts,
            load_evidence(facts, _file(profile / "evidence.yaml")),
            load_models(facts, *_there(profile / "weights")),
        ),
        words=Words(facts, load_beliefs(_file(profile / "beliefs.yaml"))),
        questions=load_questions(facts, _file(profile / "questions.yaml")),
        edges=load_graph(_file(profile / "graph.yaml")),
        invites=_invites(profile / "invites.yaml"),
        actions=_actions(folder / "actions", vocabulary),
        journeys=journeys,
        states=states,
        vocabulary=vocabulary,
        detectors=Detectors.read(_own_or_shipped(folder / "friction" / "detectors.yaml")),
        signals=_signals(folder / "friction" / "signals.yaml"),
        templates=Templates.load((SHIPPED_TEMPLATES, *_there(folder / "templates"))),
        sentences=approved(),
    )


def _invites(file: Path) -> InviteFile | None:
    return load_invites(file) if file.is_file() else None


def _actions(folder: Path, vocabulary: Vocabulary) -> Actions:
    catalogue = _file(folder / "catalogue.yaml")
    if catalogue is None:
        return NO_ACTIONS
    return load_actions(catalogue, load_texts(folder / "texts"), vocabulary)


def _signals(own: Path) -> Signals:
    return Signals.read(_shipped("signals.yaml"), *([read_data(own)] if own.is_file() else []))


def _own_or_shipped(own: Path) -> DataFile:
    return read_data(own) if own.is_file() else _shipped(own.name)


def _shipped(name: str) -> DataFile:
    with as_file(files("onboarding.interventions") / name) as path:
        return read_data(path)


def _there(folder: Path) -> tuple[Path, ...]:
    return (folder,) if folder.is_dir() else ()


def _file(path: Path) -> Path | None:
    return path if path.is_file() else None
