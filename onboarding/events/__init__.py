"""message -> contract -> consent -> Event -> log -> those who read it by group."""

from onboarding.events.catalogue import SHIPPED, EventCatalogue, load_catalogue
from onboarding.events.contracts import Contract, FieldSpec, FieldType, Identity, Version
from onboarding.events.log import (
    Addition,
    Appended,
    EventLog,
    Link,
    Membership,
    Numbered,
)
from onboarding.rules import DataFileError

__all__ = [
    "SHIPPED",
    "Addition",
    "Appended",
    "Contract",
    "DataFileError",
    "EventCatalogue",
    "EventLog",
    "FieldSpec",
    "FieldType",
    "Identity",
    "Link",
    "Membership",
    "Numbered",
    "Version",
    "load_catalogue",
]
