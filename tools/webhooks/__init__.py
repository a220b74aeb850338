"""event -> row for each endpoint -> signed request; request -> signature -> taken once."""

from tools.webhooks.events import KINDS, Event, is_told, of_action, of_checkpoint
from tools.webhooks.receiving import SeenMessages
from tools.webhooks.sending import Deliveries, Endpoint, Sender, SenderParts
from tools.webhooks.signing import (
    SecretError,
    Secrets,
    WebhookError,
    read_secrets,
    signed,
    verified,
)
from tools.webhooks.tables import prepare

__all__ = [
    "KINDS",
    "Deliveries",
    "Endpoint",
    "Event",
    "SecretError",
    "Secrets",
    "SeenMessages",
    "Sender",
    "SenderParts",
    "WebhookError",
    "is_told",
    "of_action",
    "of_checkpoint",
    "prepare",
    "read_secrets",
    "signed",
    "verified",
]
