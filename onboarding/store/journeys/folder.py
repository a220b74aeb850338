"""A tenant's folder of onboarding files -> its catalogue, and every name that its rules may use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from onboarding.actions import load_catalogue as load_actions
from onboarding.actions import load_texts
from onboarding.events import EventCatalogue
from onboarding.events import load_catalogue as load_events
from onboarding.events.catalogue import SHIPPED as SHIPPED_EVENTS
from onboarding.features import SHIPPED as SHIPPED_FEATURES
from onboarding.features import load_features
from onboarding.interventions.templating import FOLDER as SHIPPED_TEMPLATES
from onboarding.interventions.templating import Templates
from onboarding.journeys import Catalogue, Via, load_folder, read_states
from onboarding.journeys.lint import Known, event_names
from onboarding.profile.catalogue import load_facts
from onboarding.rules import DataFileError, Form, Typed, Vocabulary

EVENTS, FEATURES, ACTIONS, TEMPLATES, MEDIA = "events", "features", "actions", "templates", "media"
STATES = "states.yaml"
GUIDES = "guides"


@dataclass(frozen=True, slots=True)
class Folder:
    """What a folder holds."""

    catalogue: Catalogue
    known: Known


def read_folder(folder: Path, flows: frozenset[str] | None = None) -> Folder:
    """`events/`, `features/`, `states.yaml`, `actions/`, `templates/` beside `journeys/`, `plays/`,
    `kits/` and `guides/`, those that are there; `flows` names what kits may call. Raises
    DataFileError."""
    if not folder.is_dir():
        raise DataFileError([f"{folder}:1:1: the folder: there is none"])
    events = load_events(*_there(SHIPPED_EVENTS, folder / EVENTS))
    states = folder / STATES
    vocabulary = Vocabulary(
        events=event_names(events),
        features=_features(events, folder),
        facts={name: frozenset(kind.values) for name, kind in load_facts().facts.items()},
        states=read_states(states).typed() if states.exists() else {},
    )
    known = Known(
        vocabulary=vocabulary,
        actions=_actions(folder / ACTIONS),
        flows=flows,
        templates=_templates(folder / TEMPLATES),
        media=_media(folder / GUIDES),
    )
    return Folder(load_folder(folder), known)


def _there(*folders: Path) -> list[Path]:
    return [each for each in folders if each.is_dir()]


def _features(events: EventCatalogue, folder: Path) -> dict[str, Typed]:
    found = load_features(events, *_there(SHIPPED_FEATURES, folder / FEATURES)).features
    return {
        name: Typed(Form.TEXT if each.is_category else Form.NUMBER) for name, each in found.items()
    }


def _actions(folder: Path) -> frozenset[str] | None:
    path = folder / "catalogue.yaml"
    if not path.exists():
        return None
    return frozenset(load_actions(path, load_texts(folder / "texts")).by_id)


def _templates(folder: Path) -> frozenset[str]:
    """A template speaks by any channel."""
    names: Iterable[str] = Templates.load(_there(SHIPPED_TEMPLATES, folder)).names
    return frozenset(f"{via}/{name}" for name in names for via in Via)


def _media(folder: Path) -> frozenset[str]:
    return frozenset(
        path.relative_to(folder).as_posix()
        for path in (folder / MEDIA).glob("**/*")
        if path.is_file()
    )
