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
from onboarding.interventions.signals import Signals, unknown_names
from onboarding.interventions.templating import FOLDER as SHIPPED_TEMPLATES
from onboarding.interventions.templating import Templates
from onboarding.journeys import (
    FOLDERS,
    Catalogue,
    FileKind,
    States,
    Via,
    load_folder,
    read_states,
)
from onboarding.journeys.lint import Known, event_names, widened
from onboarding.profile import (
    FactCatalogue,
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
from onboarding.rules import DataFile, DataFileError, Form, Typed, Vocabulary, read_data

NO_ACTIONS: Final = Actions("none", 1, (), Texts())
MEDIA: Final = "media"
"""Below `guides`: clips and their captions."""


@dataclass(frozen=True, slots=True)
class Folder:
    """What rules and definitions may name, and the definitions. `known` is what lint holds them
    against."""

    events: EventCatalogue
    features: FeatureSet
    facts: FactCatalogue
    states: States | None
    actions: Actions
    templates: Templates
    catalogue: Catalogue
    known: Known

    @property
    def vocabulary(self) -> Vocabulary:
        """With what the definitions name themselves."""
        return widened(self.known.vocabulary, self.catalogue)


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


def read_folder(folder: Path, flows: frozenset[str] | None = None) -> Folder:
    """Those parts of it that are there; `flows` names what kits may call. Raises DataFileError."""
    if not folder.is_dir():
        raise DataFileError([f"{folder}:1:1: the folder: there is none"])
    events = load_events(SHIPPED_EVENTS, *_there(folder / "events"))
    features = load_features(events, SHIPPED_FEATURES, *_there(folder / "features"))
    facts = load_facts(_file(folder / "profile" / "facts.yaml"))
    states = read_states(folder / "states.yaml") if _file(folder / "states.yaml") else None
    templates = Templates.load((SHIPPED_TEMPLATES, *_there(folder / "templates")))
    catalogue = load_folder(folder)
    vocabulary = Vocabulary(
        events=event_names(events),
        features={
            name: Typed(Form.TEXT if each.is_category else Form.NUMBER)
            for name, each in features.features.items()
        },
        facts={name: frozenset(kind.values) for name, kind in facts.facts.items()},
        states=states.typed() if states is not None else {},
    )
    actions = _actions(folder / "actions", widened(vocabulary, catalogue))
    known = Known(
        vocabulary=vocabulary,
        actions=frozenset(actions.by_id) if actions is not NO_ACTIONS else None,
        flows=flows,
        templates=frozenset(f"{via}/{name}" for name in templates.names for via in Via),
        media=_media(folder / FOLDERS[FileKind.GUIDE]),
    )
    return Folder(events, features, facts, states, actions, templates, catalogue, known)


def load_files(folder: Path) -> Files:
    """Raises DataFileError with file, line and column of each mistake."""
    read, profile = read_folder(folder), folder / "profile"
    return Files(
        folder=folder,
        events=read.events,
        features=read.features,
        mind=Mind(
            read.facts,
            load_evidence(read.facts, _file(profile / "evidence.yaml")),
            load_models(read.facts, *_there(profile / "weights")),
        ),
        words=Words(read.facts, load_beliefs(_file(profile / "beliefs.yaml"))),
        questions=load_questions(read.facts, _file(profile / "questions.yaml")),
        edges=load_graph(_file(profile / "graph.yaml")),
        invites=_invites(profile / "invites.yaml"),
        actions=read.actions,
        journeys=read.catalogue,
        states=read.states,
        vocabulary=read.vocabulary,
        detectors=Detectors.read(_own_or_shipped(folder / "friction" / "detectors.yaml")),
        signals=_signals(folder / "friction" / "signals.yaml", read.events),
        templates=read.templates,
        sentences=approved(),
    )


def _media(folder: Path) -> frozenset[str]:
    found = (folder / MEDIA).glob("**/*")
    return frozenset(path.relative_to(folder).as_posix() for path in found if path.is_file())


def _invites(file: Path) -> InviteFile | None:
    return load_invites(file) if file.is_file() else None


def _actions(folder: Path, vocabulary: Vocabulary) -> Actions:
    catalogue = _file(folder / "catalogue.yaml")
    if catalogue is None:
        return NO_ACTIONS
    return load_actions(catalogue, load_texts(folder / "texts"), vocabulary)


def _signals(own: Path, events: EventCatalogue) -> Signals:
    read = (_shipped("signals.yaml"), *([read_data(own)] if own.is_file() else []))
    fields = {name: contract.fields for name, contract in events.contracts.items()}
    if problems := [told for file in read for told in unknown_names(file, fields)]:
        raise DataFileError(problems)
    return Signals.read(*read)


def _own_or_shipped(own: Path) -> DataFile:
    return read_data(own) if own.is_file() else _shipped(own.name)


def _shipped(name: str) -> DataFile:
    with as_file(files("onboarding.interventions") / name) as path:
        return read_data(path)


def _there(folder: Path) -> tuple[Path, ...]:
    return (folder,) if folder.is_dir() else ()


def _file(path: Path) -> Path | None:
    return path if path.is_file() else None
