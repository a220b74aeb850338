"""HTTP request -> route -> the composed product -> AG-UI stream, JSON or page."""

from api.app import create_app
from api.context import Check, Probe, Site
from api.limits import Limits
from api.probes import database_probe, encoder_probe, index_probe

__all__ = [
    "Check",
    "Limits",
    "Probe",
    "Site",
    "create_app",
    "database_probe",
    "encoder_probe",
    "index_probe",
]
