"""What people of `profile_worlds` are like, and how it shows: tables of data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Trait:
    """`shares` need not sum to 1."""

    values: tuple[str, ...]
    shares: tuple[float, ...]


TRAITS: Mapping[str, Trait] = {
    "role": Trait(("admin", "end_user", "executive", "developer"), (0.25, 0.4, 0.15, 0.2)),
    "intent": Trait(
        ("reporting", "monitoring", "automation", "collaboration"), (0.35, 0.25, 0.2, 0.2)
    ),
    "size": Trait(("1-10", "11-50", "51-250", "251-1000", "1000+"), (0.3, 0.28, 0.2, 0.13, 0.09)),
    "industry": Trait(("ecommerce", "fintech", "healthcare", "saas"), (0.3, 0.2, 0.15, 0.35)),
    "proficiency": Trait(("novice", "intermediate", "advanced"), (0.35, 0.4, 0.25)),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """`base` is the log of how common each thing is; `affinity` has, by trait and value, how much
    more often (in logs) somebody like that shows it."""

    things: tuple[str, ...]
    base: tuple[float, ...]
    affinity: Mapping[str, Mapping[str, Mapping[str, float]]]

    def table(self, traits: Mapping[str, Trait]) -> NDArray[np.float64]:
        """A row for every value of every trait, in their order."""
        rows = []
        for name, trait in traits.items():
            of = self.affinity.get(name, {})
            rows += [[of.get(v, {}).get(thing, 0.0) for thing in self.things] for v in trait.values]
        return np.array(rows)


def _shown(things: str, affinity: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Shown:
    """`things`: `name` or `name:log` apart by blanks."""
    split = [thing.partition(":") for thing in things.split()]
    return Shown(
        tuple(name for name, _, _ in split), tuple(float(log or 0) for *_, log in split), affinity
    )


SHOWN: Mapping[str, Shown] = {
    "source": _shown(
        "search:0.6 ads referral partner:-0.5 content event:-1 direct:0.3 invitation:0.2",
        {
            "role": {
                "end_user": {"invitation": 1.2},
                "executive": {"event": 1.2, "referral": 0.8, "partner": 0.5},
                "developer": {"content": 1.0, "search": 0.4},
                "admin": {"search": 0.5},
            },
            "size": {
                "1-10": {"ads": 0.7, "search": 0.4},
                "251-1000": {"partner": 0.8, "invitation": 0.6},
                "1000+": {"partner": 1.2, "event": 0.8, "invitation": 0.9, "ads": -1.0},
            },
        },
    ),
    "plan": _shown(
        "free:0.8 team:0.4 business enterprise:-0.8",
        {
            "size": {
                "1-10": {"free": 1.0, "enterprise": -2.0},
                "11-50": {"team": 0.9, "enterprise": -1.0},
                "51-250": {"business": 1.1},
                "251-1000": {"business": 1.2, "enterprise": 1.2, "free": -0.7},
                "1000+": {"enterprise": 2.4, "free": -1.2},
            },
            "role": {"executive": {"business": 0.4}},
        },
    ),
    "domain": _shown(
        "free corporate:0.8 education:-2",
        {
            "size": {
                "1-10": {"free": 1.1},
                "51-250": {"corporate": 1.2},
                "251-1000": {"corporate": 2.0},
                "1000+": {"corporate": 2.4, "education": 0.8},
            }
        },
    ),
    "campaign": _shown(
        "reports alerts automation teamwork ecommerce:-0.3 fintech:-0.3 healthcare:-0.3 saas:-0.3"
        " api:-0.5 governance:-0.7 value:-0.7",
        {
            "intent": {
                "reporting": {"reports": 1.9, "value": 0.5},
                "monitoring": {"alerts": 2.0},
                "automation": {"automation": 1.9, "api": 0.5},
                "collaboration": {"teamwork": 1.9},
            },
            "industry": {
                "ecommerce": {"ecommerce": 2.0},
                "fintech": {"fintech": 2.1},
                "healthcare": {"healthcare": 2.1},
                "saas": {"saas": 1.8},
            },
            "role": {
                "developer": {"api": 1.8},
                "admin": {"governance": 1.7},
                "executive": {"value": 1.9},
            },
        },
    ),
    "invited_as": _shown(
        "admin:-0.5 member:0.6 viewer billing:-1.5",
        {
            "role": {
                "admin": {"admin": 2.2, "billing": 1.0},
                "end_user": {"member": 1.0},
                "executive": {"viewer": 1.3, "billing": 1.0},
                "developer": {"member": 0.7, "admin": 0.4},
            }
        },
    ),
    "page": _shown(
        "dashboards:1.2 reports:0.8 alerts workflows integrations:0.4 team:0.1 billing:-0.6"
        " settings:0.2 security:-0.8 audit_log:-1.5 api_docs:-0.7 templates:0.2 help:0.1"
        " sharing:-0.2 comments:-0.3 goals:-0.9",
        {
            "role": {
                "admin": {"team": 1.3, "settings": 1.2, "security": 1.4, "audit_log": 1.3,
                          "billing": 0.9, "integrations": 0.5},
                "end_user": {"templates": 0.7, "dashboards": 0.5, "comments": 0.6, "help": 0.3},
                "executive": {"goals": 1.7, "billing": 0.8, "reports": 0.5, "dashboards": 0.5,
                              "integrations": -0.8},
                "developer": {"api_docs": 2.0, "integrations": 1.0, "workflows": 0.4,
                              "billing": -0.8},
            },
            "intent": {
                "reporting": {"reports": 1.0, "templates": 0.3},
                "monitoring": {"alerts": 1.4},
                "automation": {"workflows": 1.5, "api_docs": 0.3},
                "collaboration": {"sharing": 1.2, "comments": 1.1, "team": 0.4},
            },
            "size": {"1000+": {"security": 0.8, "audit_log": 0.9}, "1-10": {"billing": 0.4}},
            "proficiency": {
                "novice": {"help": 0.8, "templates": 0.4},
                "advanced": {"api_docs": 0.5, "workflows": 0.4, "help": -0.7},
            },
        },
    ),
    "clicked": _shown(
        "create_report:0.5 create_alert create_workflow:-0.2 invite_teammate:0.2 share_dashboard"
        " connect_data:0.6 import_file:0.1",
        {
            "intent": {
                "reporting": {"create_report": 1.4, "import_file": 0.3},
                "monitoring": {"create_alert": 1.6},
                "automation": {"create_workflow": 1.6, "connect_data": 0.3},
                "collaboration": {"share_dashboard": 1.4, "invite_teammate": 1.0},
            },
            "role": {"developer": {"connect_data": 0.6}, "admin": {"invite_teammate": 0.6}},
        },
    ),
    "permission": _shown(
        "manage_members manage_billing:-0.5 manage_sso:-1.5 manage_keys:-0.7 edit_dashboards:0.9"
        " view_only:0.3",
        {
            "role": {
                "admin": {"manage_members": 1.6, "manage_sso": 1.8, "manage_billing": 0.9},
                "end_user": {"edit_dashboards": 0.8},
                "executive": {"view_only": 1.4, "manage_billing": 0.7},
                "developer": {"manage_keys": 2.2},
            },
            "size": {"251-1000": {"manage_sso": 0.9}, "1000+": {"manage_sso": 1.6}},
        },
    ),
    "connector": _shown(
        "postgres:0.5 csv:0.8 hubspot shopify:-0.3 woocommerce:-0.8 stripe plaid:-1 quickbooks:-0.6"
        " fhir:-1.5 hl7:-1.7 salesforce github:-0.4 segment:-0.4 zendesk:-0.5 slack:0.2"
        " google_sheets:0.6",
        {
            "industry": {
                "ecommerce": {"shopify": 2.2, "woocommerce": 2.0, "stripe": 0.6},
                "fintech": {"plaid": 2.4, "quickbooks": 1.3, "stripe": 1.0},
                "healthcare": {"fhir": 3.0, "hl7": 2.9},
                "saas": {"github": 1.5, "segment": 1.4, "hubspot": 0.7, "zendesk": 0.8},
            },
            "role": {"developer": {"postgres": 1.0, "github": 0.8, "csv": -0.4}},
            "proficiency": {"novice": {"csv": 0.6, "google_sheets": 0.5}},
        },
    ),
    "template": _shown(
        "orders inventory:-0.3 ledger risk:-0.4 patients:-0.4 appointments:-0.4 churn releases:-0.3"
        " weekly_report:0.6 threshold_alert:0.2 sync_workflow:-0.1 shared_board:0.1",
        {
            "industry": {
                "ecommerce": {"orders": 1.9, "inventory": 1.8},
                "fintech": {"ledger": 1.9, "risk": 1.8},
                "healthcare": {"patients": 2.2, "appointments": 2.0},
                "saas": {"churn": 1.7, "releases": 1.6},
            },
            "intent": {
                "reporting": {"weekly_report": 1.3},
                "monitoring": {"threshold_alert": 1.4},
                "automation": {"sync_workflow": 1.5},
                "collaboration": {"shared_board": 1.4},
            },
        },
    ),
}  # fmt: skip

TITLES = (
    ("IT administrator", "head of operations", "systems owner", "platform manager", "ops lead"),
    ("sales representative", "marketing specialist", "support agent", "coordinator", "planner"),
    ("chief executive", "VP of sales", "director of marketing", "founder", "head of finance"),
    ("software engineer", "backend developer", "data engineer", "web developer", "architect"),
)
"""By role, in its order."""
