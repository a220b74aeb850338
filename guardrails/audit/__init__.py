"""note -> log, before what it is about is handed out -> page, export; erase, sweep."""

from guardrails.audit.log import AuditLog, new_request_id
from guardrails.audit.personal import exported, line
from guardrails.audit.types import EVERYTHING, Entry, Note, Wanted, What, named

__all__ = [
    "EVERYTHING",
    "AuditLog",
    "Entry",
    "Note",
    "Wanted",
    "What",
    "exported",
    "line",
    "named",
    "new_request_id",
]
