"""People of simulated worlds as rows for classifiers, and the plain rules that these must beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evals.profile_worlds import START, Someone, World, people
from guardrails.consent import Consents, Purpose
from guardrails.consent.state import Newest
from onboarding.profile.calibration import Scored
from onboarding.profile.catalogue import EvidenceSpec
from onboarding.profile.evidence import Cues, Known, gather
from onboarding.profile.fitting import Row
from onboarding.profile.model import FactModel

CONSENTED = Consents({(Purpose.PRODUCT_ANALYTICS, None): Newest(1, True)})
LOOKED = START + timedelta(days=60)


class Lived(NamedTuple):
    """Somebody, and the cues that their events give."""

    someone: Someone
    cues: Cues


def lived(seeds: Sequence[int], count: int, spec: EvidenceSpec) -> list[Lived]:
    """`count` people of each world."""
    return [
        Lived(each, gather(known(each), spec, LOOKED))
        for seed in seeds
        for each in people(World.drawn(seed), count)
    ]


def known(someone: Someone) -> Known:
    return Known(someone.person, someone.history, someone.snapshot, (), CONSENTED)


def rows(of: Sequence[Lived], fact: str) -> list[Row]:
    """As people would declare it; a world is a group, so that folds try other worlds."""
    return [Row(e.cues, e.someone.declared[fact], e.someone.person.tenant) for e in of]


def scored(model: FactModel, of: Sequence[Lived]) -> Scored:
    """Against the truth."""
    matrix = np.array([model.vector(each.cues) for each in of])
    return Scored(model.shares(matrix), labels(of, model.of.fact, model.of.values))


def labels(of: Sequence[Lived], fact: str, values: Sequence[str]) -> NDArray[np.intp]:
    return np.array([values.index(each.someone.truth[fact]) for each in of], dtype=np.intp)


RULES: Mapping[str, Mapping[str, str]] = {
    "role": {
        "title=developer": "developer",
        "title=executive": "executive",
        "title=admin": "admin",
        "title=end_user": "end_user",
        "permission=manage_keys": "developer",
        "permission=manage_sso": "admin",
        "permission=manage_members": "admin",
        "invited_as=admin": "admin",
        "invited_as=viewer": "executive",
        "invited_as=member": "end_user",
        "page=api_docs": "developer",
        "page=goals": "executive",
        "page=settings": "admin",
    },
    "intent": {
        "goal=reporting": "reporting",
        "goal=monitoring": "monitoring",
        "goal=automation": "automation",
        "goal=collaboration": "collaboration",
        "campaign=reports": "reporting",
        "campaign=alerts": "monitoring",
        "campaign=automation": "automation",
        "campaign=teamwork": "collaboration",
        "clicked=create_report": "reporting",
        "clicked=create_alert": "monitoring",
        "clicked=create_workflow": "automation",
        "clicked=share_dashboard": "collaboration",
    },
    "size": {
        "members=4": "1000+",
        "members=3": "251-1000",
        "members=2": "51-250",
        "members=1": "11-50",
        "members=0": "1-10",
        "plan=enterprise": "1000+",
        "plan=business": "51-250",
        "plan=free": "1-10",
    },
    "industry": {
        "campaign=ecommerce": "ecommerce",
        "campaign=fintech": "fintech",
        "campaign=healthcare": "healthcare",
        "campaign=saas": "saas",
        "connector=fhir": "healthcare",
        "connector=hl7": "healthcare",
        "connector=plaid": "fintech",
        "connector=shopify": "ecommerce",
        "connector=woocommerce": "ecommerce",
        "template=patients": "healthcare",
        "template=appointments": "healthcare",
        "template=ledger": "fintech",
        "template=risk": "fintech",
        "template=orders": "ecommerce",
        "template=inventory": "ecommerce",
        "template=churn": "saas",
        "template=releases": "saas",
        "connector=github": "saas",
    },
    "proficiency": {"shortcut": "advanced", "help": "novice"},
}
"""The first cue that is there decides: what one would write without a model."""


def by_rule(fact: str, cues: Cues, otherwise: str) -> str:
    return next((value for cue, value in RULES[fact].items() if cue in cues), otherwise)
