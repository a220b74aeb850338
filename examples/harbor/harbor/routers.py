"""Everything that Harbor serves, in the order of its documentation."""

from __future__ import annotations

from harbor import (
    accounts,
    alerts,
    billing,
    connections,
    dashboards,
    imports,
    intake,
    keys,
    runs,
    sandbox,
    scim,
    security,
    sources,
    team,
    web,
    webhooks,
)

ROUTERS = (
    accounts, team, connections, imports, runs, intake, dashboards, alerts, security, scim, billing,
    keys, webhooks, web,
)  # fmt: skip
SANDBOX = (sandbox, sources)
