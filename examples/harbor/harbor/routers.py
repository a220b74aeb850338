"""Everything that Harbor serves, in the order of its documentation."""

from __future__ import annotations

from harbor import accounts, keys, sandbox, security, team

ROUTERS = (accounts, team, security, keys)
SANDBOX = (sandbox,)
