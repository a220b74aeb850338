"""YAML clause -> Rule -> [check against the vocabulary] -> closure over the view -> holds, and the
evidence for it."""

from onboarding.rules.checking import Form, Typed, Vocabulary, check_rule
from onboarding.rules.comparing import Compared, Comparison, Op, Scalar
from onboarding.rules.compiling import Test, always, compile_rule
from onboarding.rules.durations import Duration, duration, written
from onboarding.rules.evidence import Shown, Witness, evidence, is_negative
from onboarding.rules.files import (
    DataFile,
    DataFileError,
    Place,
    Problem,
    data_of,
    did_you_mean,
    read_data,
)
from onboarding.rules.knowing import is_known, is_settled, states_of
from onboarding.rules.syntax import (
    All,
    AnyOf,
    FactIs,
    FeatureIs,
    Happened,
    InArm,
    Not,
    Rule,
    Stalled,
    StateIs,
)
from onboarding.rules.view import Moment

__all__ = [
    "All",
    "AnyOf",
    "Compared",
    "Comparison",
    "DataFile",
    "DataFileError",
    "Duration",
    "FactIs",
    "FeatureIs",
    "Form",
    "Happened",
    "InArm",
    "Moment",
    "Not",
    "Op",
    "Place",
    "Problem",
    "Rule",
    "Scalar",
    "Shown",
    "Stalled",
    "StateIs",
    "Test",
    "Typed",
    "Vocabulary",
    "Witness",
    "always",
    "check_rule",
    "compile_rule",
    "data_of",
    "did_you_mean",
    "duration",
    "evidence",
    "is_known",
    "is_negative",
    "is_settled",
    "read_data",
    "states_of",
    "written",
]
