"""decision -> [writer, in batches] -> record -> query, export; erase, sweep."""

from guardrails.decisions.export import exported
from guardrails.decisions.record import (
    EVERYTHING,
    Added,
    Cursor,
    DecisionRecord,
    Page,
    Recorded,
    Wanted,
)
from guardrails.decisions.retention import Retention, sweep_due
from guardrails.decisions.types import (
    Amount,
    Assignment,
    Decision,
    Kind,
    Outcome,
    OutcomeUpdate,
    Place,
    Row,
    Versions,
    evidence_id,
)
from guardrails.decisions.writer import Pace, RecordWriter, Tally

__all__ = [
    "EVERYTHING",
    "Added",
    "Amount",
    "Assignment",
    "Cursor",
    "Decision",
    "DecisionRecord",
    "Kind",
    "Outcome",
    "OutcomeUpdate",
    "Pace",
    "Page",
    "Place",
    "RecordWriter",
    "Recorded",
    "Retention",
    "Row",
    "Tally",
    "Versions",
    "Wanted",
    "evidence_id",
    "exported",
    "sweep_due",
]
