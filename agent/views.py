"""Actions as the wire shows them to those who may see them: cards, calls, results, receipts.

Everything here is in the clear, but for secrets, which no view holds. Texts of the target are
UNTRUSTED: shown as text, never as markup.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import JsonValue

from agent.action_types import View
from tools.approvals import RULES
from tools.journal import Action, Receipt, State
from tools.tool import Catalogue
from tools.types import CardField, Manifest

Approver = Literal["end_user", "other", "nobody"]
_DENIED = frozenset({"denied", "cancelled", "edited", "merged"})


def status_of(action: Action) -> str:
    """A card's state in one word: pending, approved, denied, expired, void, or that of the deed."""
    if action.state is not State.REFUSED:
        return action.state.value
    if action.reason in _DENIED:
        return "denied" if action.reason == "denied" else action.reason
    return "expired" if action.reason == "expired" else "void"


def card_view(action: Action, manifest: Manifest | None, approver: Approver) -> View:
    """The card of `embark.approval`, and of REST."""
    card = action.card
    view: dict[str, JsonValue] = {
        "actionId": action.id,
        "tool": action.call.tool,
        "status": status_of(action),
        "approver": approver,
        "digest": action.digest,
        "risk": action.tier.risk,
        "tier": action.tier.name,
        "expiresAt": action.expires.isoformat(),
        "title": card.title if card is not None else _title(action, manifest),
        "always": RULES[action.tier].standing and action.undoes is None,
        "undoes": action.undoes,
    }
    if card is None:
        return {**view, "fields": [], "count": 1, "undo": "", "notes": [], "steps": []}
    return {
        **view,
        "fields": [_field(line) for line in card.fields],
        "count": card.count,
        "listHash": card.list_hash,
        "who": card.who,
        "undo": card.undo,
        "notes": list(card.notes),
        "steps": list(card.steps),
    }


def _title(action: Action, manifest: Manifest | None) -> str:
    return manifest.title if manifest is not None else action.call.tool


def _field(line: CardField) -> dict[str, JsonValue]:
    return {
        "name": line.name,
        "label": line.label,
        "value": line.value,
        "before": line.before,
        "origin": line.origin,
        "secret": line.secret,
    }


def arguments_view(action: Action, manifest: Manifest | None) -> View:
    """The arguments without secrets; none at all when it is not known which are."""
    if manifest is None:
        return {}
    secret = {name for name, argument in manifest.arguments.items() if argument.secret}
    return {name: value for name, value in action.call.arguments.items() if name not in secret}


def result_view(
    action: Action, manifest: Manifest | None, receipts: tuple[Receipt, ...]
) -> dict[str, JsonValue]:
    """How it ended, for `TOOL_CALL_RESULT` and REST."""
    newest = receipts[-1] if receipts else None
    return {
        "actionId": action.id,
        "tool": action.call.tool,
        "title": _title(action, manifest),
        "state": action.state.value,
        "status": status_of(action),
        "reason": action.reason,
        "detail": action.detail,
        "result": dict(action.result),
        "receipt": {"id": newest.id, "jws": newest.jws} if newest is not None else None,
        "undo": undo_note(action, manifest),
        "undoes": action.undoes,
        "nextTry": next_try(action),
    }


def undo_note(action: Action, manifest: Manifest | None) -> str | None:
    """How it is taken back, while it can be; None when it cannot."""
    open_ = action.state in {State.SUCCEEDED, State.FAILED} and action.undo is not None
    if not open_ or action.undoes is not None:
        return None
    return manifest.undo if manifest is not None else ""


def next_try(action: Action) -> str | None:
    """When a scheduled retry comes."""
    waiting = action.state is State.STARTED and bool(action.reason)
    return action.lease_until.isoformat() if waiting and action.lease_until else None


def manifest_of(catalogue: Catalogue, action: Action) -> Manifest | None:
    """Of the version that was proposed, else of the current one."""
    name, version = action.call.tool, action.call.version
    tool = catalogue.tool(name, version) or catalogue.tool(name)
    return tool.manifest if tool is not None else None


def editable(manifest: Manifest | None) -> Mapping[str, JsonValue]:
    """The JSON Schema of what may be edited on the card: all arguments but secrets, none needed."""
    if manifest is None:
        return {"type": "object", "properties": {}, "additionalProperties": False}
    properties = manifest.schema.get("properties")
    named = dict(properties) if isinstance(properties, Mapping) else {}
    secret = {name for name, argument in manifest.arguments.items() if argument.secret}
    return {
        "type": "object",
        "properties": {name: schema for name, schema in named.items() if name not in secret},
        "additionalProperties": False,
    }
