"""events, snapshot -> cues -> odds -> facts -> Profile; the question that would help most; beliefs
that are tested; the graph; how far a tenant may be personalised."""

from onboarding.profile.beliefs import Belief, BeliefFile, SelfModel, load_beliefs, self_model
from onboarding.profile.catalogue import EvidenceSpec, FactCatalogue, load_evidence, load_facts
from onboarding.profile.domains import domain_class
from onboarding.profile.errors import (
    ModelFileError,
    NoSuchFactError,
    NoSuchValueError,
    NotAskedError,
    ProfileError,
    SensitiveFieldError,
)
from onboarding.profile.evidence import Cue, Cues, Known, gather
from onboarding.profile.fitting import Row, fit, refit, row_of
from onboarding.profile.graph import Edge, GraphQueries, GraphStore, Route
from onboarding.profile.growing import GraphFile, edges_of, load_graph, solved
from onboarding.profile.holding import declared, profile_of, wishes_of
from onboarding.profile.inferring import Mind, infer
from onboarding.profile.keeping import ProfileStore, fact_id, lineage
from onboarding.profile.lint import check_sensitive
from onboarding.profile.model import FactModel, Weights, dump_weights, load_models
from onboarding.profile.questions import (
    Asked,
    Moment,
    Offer,
    QuestionFile,
    Reply,
    load_questions,
    next_question,
    what_if,
)
from onboarding.profile.telling import Line, Told, Words, ask, tell

__all__ = [
    "Asked",
    "Belief",
    "BeliefFile",
    "Cue",
    "Cues",
    "Edge",
    "EvidenceSpec",
    "FactCatalogue",
    "FactModel",
    "GraphFile",
    "GraphQueries",
    "GraphStore",
    "Known",
    "Line",
    "Mind",
    "ModelFileError",
    "Moment",
    "NoSuchFactError",
    "NoSuchValueError",
    "NotAskedError",
    "Offer",
    "ProfileError",
    "ProfileStore",
    "QuestionFile",
    "Reply",
    "Route",
    "Row",
    "SelfModel",
    "SensitiveFieldError",
    "Told",
    "Weights",
    "Words",
    "ask",
    "check_sensitive",
    "declared",
    "domain_class",
    "dump_weights",
    "edges_of",
    "fact_id",
    "fit",
    "gather",
    "infer",
    "lineage",
    "load_beliefs",
    "load_evidence",
    "load_facts",
    "load_graph",
    "load_models",
    "load_questions",
    "next_question",
    "profile_of",
    "refit",
    "row_of",
    "self_model",
    "solved",
    "tell",
    "what_if",
    "wishes_of",
]
