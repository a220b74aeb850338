"""Everything that Harbor serves, in the order of its documentation."""

from __future__ import annotations

from harbor import (
    accounts,
    alerts,
    connections,
    dashboards,
    imports,
    keys,
    sandbox,
    security,
    sources,
    team,
)

ROUTERS = (accounts, team, connections, imports, dashboards, alerts, security, keys)
SANDBOX = (sandbox, sources)
