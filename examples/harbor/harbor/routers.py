"""Everything that Harbor serves, in the order of its documentation."""

from __future__ import annotations

from harbor import accounts, sandbox, team

ROUTERS = (accounts, team)
SANDBOX = (sandbox,)
