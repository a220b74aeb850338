"""decisions + outcomes -> rows -> fit -> calibrate -> off-policy gate -> a version's files."""

from onboarding.training.calibrating import Calibration, measured
from onboarding.training.drift import Drift, drift, psi
from onboarding.training.estimators import (
    Estimate,
    Logged,
    clusters_of,
    doubly_robust,
    ess,
    ips,
    snips,
)
from onboarding.training.fitting import Recipe
from onboarding.training.gate import Bounds, Check, Evidence, Refusal, Verdict, judged
from onboarding.training.hazard import Periods, StallModel, fit_stalls, open_stalls, period_of
from onboarding.training.learning import Learned, learn
from onboarding.training.policies import Request
from onboarding.training.rows import FOLLOWED, Asking, Row, rows_of
from onboarding.training.stall_gate import LearnedStalls, StallRequest, learn_stalls
from onboarding.training.stalling import AHEAD, STEPS, RuleStalls, periods_of
from onboarding.training.text import TextRecipe, fit_text
from onboarding.training.uplift import UpliftModel, fit_uplift, qini, uplift_at

__all__ = [
    "AHEAD",
    "FOLLOWED",
    "STEPS",
    "Asking",
    "Bounds",
    "Calibration",
    "Check",
    "Drift",
    "Estimate",
    "Evidence",
    "Learned",
    "LearnedStalls",
    "Logged",
    "Periods",
    "Recipe",
    "Refusal",
    "Request",
    "Row",
    "RuleStalls",
    "StallModel",
    "StallRequest",
    "TextRecipe",
    "UpliftModel",
    "Verdict",
    "clusters_of",
    "doubly_robust",
    "drift",
    "ess",
    "fit_stalls",
    "fit_text",
    "fit_uplift",
    "ips",
    "judged",
    "learn",
    "learn_stalls",
    "measured",
    "open_stalls",
    "period_of",
    "periods_of",
    "psi",
    "qini",
    "rows_of",
    "snips",
    "uplift_at",
]
