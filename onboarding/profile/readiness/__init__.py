"""events -> observed -> five signals -> the stage that is allowed, the rung that is served."""

from onboarding.profile.readiness.definition import (
    Declared,
    Override,
    ReadinessFile,
    Rung,
    SignalName,
    Stage,
    load_readiness,
)
from onboarding.profile.readiness.observing import Cohort, Observed, Rate, Watching
from onboarding.profile.readiness.report import document, text_of
from onboarding.profile.readiness.signals import Signal, signals_of
from onboarding.profile.readiness.standing import Past, Standing, settle, stand

__all__ = [
    "Cohort",
    "Declared",
    "Observed",
    "Override",
    "Past",
    "Rate",
    "ReadinessFile",
    "Rung",
    "Signal",
    "SignalName",
    "Stage",
    "Standing",
    "Watching",
    "document",
    "load_readiness",
    "settle",
    "signals_of",
    "stand",
    "text_of",
]
