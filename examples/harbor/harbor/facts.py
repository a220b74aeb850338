"""Plans, roles and limits as FACTS.md states them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """`seats` of paid roles; `retention_days` of events; None is unlimited."""

    name: str
    seats: int | None
    members: int | None
    events: int
    retention_days: int
    connections: int
    connectors: frozenset[str]
    interval_min: int
    running_imports: int
    csv_bytes: int
    dashboards: int | None
    metrics: int
    alerts: int
    price: tuple[int, int]  # a paid seat and month in dollars, billed monthly and yearly
    features: frozenset[str]
    api_keys: int
    audit_days: int


_ALL = frozenset({"csv", "postgresql", "stripe", "hubspot", "webhook"})
_TEAM = frozenset({"bulk_invite", "auto_join", "require_mfa", "alert_channels", "write_api"})
_GROWTH = _TEAM | {"anomaly", "public_links", "sso"}
MB = 1_000_000
PLANS: dict[str, Plan] = {
    "free": Plan("free", None, 3, 100_000, 90, 1, frozenset({"csv", "postgresql"}), 1440, 1,
                 10 * MB, 5, 5, 2, (0, 0), frozenset(), 1, 0),
    "team": Plan("team", 25, None, 2_000_000, 365, 5, _ALL, 60, 3,
                 50 * MB, 50, 50, 20, (20, 16), _TEAM, 5, 30),
    "growth": Plan("growth", 150, None, 20_000_000, 1095, 20, _ALL, 15, 6,
                   50 * MB, None, 250, 100, (45, 36), _GROWTH, 25, 180),
    "enterprise": Plan("enterprise", None, None, 100_000_000, 1825, 200, _ALL, 5, 12,
                       50 * MB, None, 1000, 500, (0, 0), _GROWTH | {"scim", "stream_audit"},
                       100, 400),
}  # fmt: skip
REQUESTS_A_MINUTE = {"free": 60, "team": 300, "growth": 1200, "enterprise": 3000}
ALERT_CHECK_MIN = {"free": 1440, "team": 60, "growth": 15, "enterprise": 15}
IDENTITY_PROVIDERS = {"free": 0, "team": 0, "growth": 1, "enterprise": 3}

ROLES = ("owner", "admin", "editor", "viewer", "billing")
PAID_ROLES = frozenset({"owner", "admin", "editor"})
_EDIT = frozenset(
    {"dashboards.edit", "metrics.manage", "alerts.manage", "kits.apply", "imports.run",
     "data.export"}
)  # fmt: skip
_VIEW = frozenset({"dashboards.view", "alerts.subscribe"})
_ADMIN = _VIEW | _EDIT | frozenset(
    {"connections.manage", "members.invite", "members.manage", "security.manage", "audit.view",
     "api_keys.manage", "data.delete"}
)  # fmt: skip
PERMISSIONS: dict[str, frozenset[str]] = {
    "owner": _ADMIN | {"billing.manage", "billing.view", "workspace.manage"},
    "admin": _ADMIN | {"billing.view"},
    "editor": _VIEW | _EDIT,
    "viewer": _VIEW,
    "billing": frozenset({"billing.manage", "billing.view"}),
}
PUBLIC_MAIL = frozenset(
    {"gmail.com", "outlook.com", "hotmail.com", "yahoo.com", "icloud.com", "proton.me", "gmx.de"}
)
