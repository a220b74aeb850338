"""How much is shown at once: the person's choice, or what fits their skill."""

from __future__ import annotations

from typing import Final

from onboarding.journeys.composing import fact_of
from onboarding.types import Mode, View

PROFICIENCY: Final = "proficiency"
ADVANCED: Final = "advanced"


def mode_for(view: View, chosen: Mode | None) -> Mode:
    """A choice stands until it is changed; unasked, advanced is for those known to be."""
    if chosen is not None:
        return chosen
    return Mode.ADVANCED if fact_of(view, PROFICIENCY) == ADVANCED else Mode.SIMPLE
