"""candidates + snapshot -> Ranker (curated, or learned where it is sure) -> chances of slot 1 ->
drawn by the decision's seed -> up to three cards, each with why."""

from onboarding.ranking.calibration import Beta
from onboarding.ranking.cohorts import Cohort, Ratio, Stratum, adjusted, cohort_why
from onboarding.ranking.control import Mute, Snooze, another, mute_of, muted, never, snoozed
from onboarding.ranking.curated import RuleRanker
from onboarding.ranking.deciding import Elapsed, decide
from onboarding.ranking.encoding import Column, Encoding, with_profile
from onboarding.ranking.explaining import Explainer, Place
from onboarding.ranking.exploring import drawn, thompson, uniform_over_first, with_nothing
from onboarding.ranking.model import ModelRanker
from onboarding.ranking.sentences import Sentences, approved, load_sentences
from onboarding.ranking.types import (
    NOTHING,
    Asked,
    Fallback,
    ModelFileError,
    Policy,
    Ranked,
    Ranker,
    RankingError,
    Rung,
    Scored,
    ScoreError,
)
from onboarding.ranking.version import Version, checked, opened, sealed

__all__ = [
    "NOTHING",
    "Asked",
    "Beta",
    "Cohort",
    "Column",
    "Elapsed",
    "Encoding",
    "Explainer",
    "Fallback",
    "ModelFileError",
    "ModelRanker",
    "Mute",
    "Place",
    "Policy",
    "Ranked",
    "Ranker",
    "RankingError",
    "Ratio",
    "RuleRanker",
    "Rung",
    "ScoreError",
    "Scored",
    "Sentences",
    "Snooze",
    "Stratum",
    "Version",
    "adjusted",
    "another",
    "approved",
    "checked",
    "cohort_why",
    "decide",
    "drawn",
    "load_sentences",
    "mute_of",
    "muted",
    "never",
    "opened",
    "sealed",
    "snoozed",
    "thompson",
    "uniform_over_first",
    "with_nothing",
    "with_profile",
]
