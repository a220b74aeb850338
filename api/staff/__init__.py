"""browser -> identity provider -> cookie -> somebody of the staff, with rights.

access.py is what routes ask; desk.py what a sign-in is; provider.py and id_tokens.py whom we
believe.
"""

from api.staff.access import (
    APPROVALS,
    AUDIT_READ,
    CONNECTORS_KILL,
    DECISIONS_READ,
    RIGHTS,
    SUBJECTS_ERASE,
    SUBJECTS_READ,
    StaffDoor,
    person_or_staff_with,
    staff_with,
)

__all__ = [
    "APPROVALS",
    "AUDIT_READ",
    "CONNECTORS_KILL",
    "DECISIONS_READ",
    "RIGHTS",
    "SUBJECTS_ERASE",
    "SUBJECTS_READ",
    "StaffDoor",
    "person_or_staff_with",
    "staff_with",
]
