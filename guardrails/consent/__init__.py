"""statement -> trail -> [reader, at most 60 s old] -> Consents -> Permission, fields that may be
kept."""

from guardrails.consent.cache import CachedConsents
from guardrails.consent.desk import Asked, ConsentDesk, Wish
from guardrails.consent.export import exported
from guardrails.consent.fields import Filtered, Tagged, Tags, filter_fields
from guardrails.consent.permission import ConsentReader, Permission
from guardrails.consent.state import NOTHING_SAID, Consents, effective
from guardrails.consent.store import ConsentStore
from guardrails.consent.types import Channel, Entry, Erasure, Purpose, Statement

__all__ = [
    "NOTHING_SAID",
    "Asked",
    "CachedConsents",
    "Channel",
    "ConsentDesk",
    "ConsentReader",
    "ConsentStore",
    "Consents",
    "Entry",
    "Erasure",
    "Filtered",
    "Permission",
    "Purpose",
    "Statement",
    "Tagged",
    "Tags",
    "Wish",
    "effective",
    "exported",
    "filter_fields",
]
