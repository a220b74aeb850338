"""What a person needs to see when a target is no longer what an action expects of it."""

from __future__ import annotations

import json

from pydantic import JsonValue

from tools.journal import Action, Journal
from tools.types import Target


async def three_ways(journal: Journal, action: Action, now: Target) -> str:
    """JSON `{before, approved, now}` for each field of the card that counts: of the action that
    would be undone, or of this one. Secrets are left out."""
    of = action
    if action.undoes is not None:
        of = await journal.action(action.who.tenant, action.undoes)
    fields = [field for field in (of.card.fields if of.card else ()) if not field.secret]
    diff: dict[str, dict[str, JsonValue]] = {
        "before": {field.name: field.before for field in fields},
        "approved": {field.name: field.value for field in fields},
        "now": dict(now.state),
    }
    return json.dumps(diff, ensure_ascii=False, sort_keys=True)
