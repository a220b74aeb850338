"""HTTP request -> route -> the composed product -> AG-UI stream, JSON or page."""

from api.acts import Acts
from api.app import create_app
from api.context import Check, Probe, Site
from api.errors import IdentityUnavailableError
from api.identity import Identify
from api.limits import Limits
from api.probes import database_probe, encoder_probe, index_probe

__all__ = [
    "Acts",
    "Check",
    "Identify",
    "IdentityUnavailableError",
    "Limits",
    "Probe",
    "Site",
    "create_app",
    "database_probe",
    "encoder_probe",
    "index_probe",
]
