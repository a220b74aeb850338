"""Who may approve what, how fresh their sign-in must be, and for how long a card stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tools.types import Tier


class Approvers(StrEnum):
    POLICY = "policy"  # no person
    SELF = "self"  # the user whose rights are used
    HOLDER = "holder"  # the user with the right, or another person with it
    TWO = "two"  # the requester, and another person with the right


@dataclass(frozen=True, slots=True)
class Rule:
    """What a tier asks for. `login_age_s` None: any sign-in that still counts as one."""

    approvers: Approvers
    login_age_s: float | None
    expires_s: float
    standing: bool = False  # "always allow" may be offered


RULES: Mapping[Tier, Rule] = {
    Tier.R0: Rule(Approvers.POLICY, None, 900),
    Tier.R1: Rule(Approvers.SELF, None, 900, standing=True),
    Tier.R2: Rule(Approvers.HOLDER, None, 900),
    Tier.R3: Rule(Approvers.HOLDER, 300, 300),
    Tier.R4: Rule(Approvers.TWO, 300, 300),
}
"""Safety reference, section 6."""
LIFT_BEYOND = 25
"""Targets beyond which the tier rises by one (same section)."""
