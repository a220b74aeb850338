"""Harbor's own files, and what they are linted against."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from onboarding.engine.files import Folder, read_folder
from onboarding.journeys import Catalogue, States, read_states
from onboarding.journeys.lint import Known

ROOT = Path(__file__).parents[3]
HARBOR = ROOT / "examples" / "harbor"
FOLDER = HARBOR / "onboarding"


@cache
def _folder() -> Folder:
    return read_folder(FOLDER, frozenset(path.stem for path in (HARBOR / "flows").glob("*.yaml")))


def harbor() -> Catalogue:
    return _folder().catalogue


def harbor_known() -> Known:
    """Every name that Harbor's files may speak of, from where each is defined."""
    return _folder().known


@cache
def harbor_states() -> States:
    return read_states(FOLDER / "states.yaml")
