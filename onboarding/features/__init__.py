"""formulas in YAML -> memories that grow by each event, and the same from the log for any time ->
Snapshot."""

from onboarding.features.compiling import Explained, FeatureSet
from onboarding.features.definitions import SHIPPED, load_features

__all__ = ["SHIPPED", "Explained", "FeatureSet", "load_features"]
