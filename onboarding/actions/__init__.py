"""catalogue.yaml + texts -> Catalogue; view + progress + what is muted -> at most 30 candidates, in
the order of the rules."""

from onboarding.actions.candidates import MOST, STEP, Standing, candidates, short_list
from onboarding.actions.catalogue import (
    Action,
    Catalogue,
    Runs,
    load_catalogue,
    problems_of,
)
from onboarding.actions.texts import Texts, load_texts

__all__ = [
    "MOST",
    "STEP",
    "Action",
    "Catalogue",
    "Runs",
    "Standing",
    "Texts",
    "candidates",
    "load_catalogue",
    "load_texts",
    "problems_of",
    "short_list",
]
