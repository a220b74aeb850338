"""Settings of onboarding: where a host's data files are, who may send its events, and how people
are reached."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from embark.sections import Port, Positive, Region, Section, WithKey, WithSecrets

Url = Annotated[str, Field(pattern=r"^https?://[^\s#]+$")]


class EventKeySettings(WithKey):
    """The write key of the host's backend, at least 16 characters; without one only people who are
    signed in send events, each of themself."""


class MailSettings(WithKey):
    """The host's mail server; the key is its password."""

    host: str
    port: Port = 587
    sender: str
    """`Name <address>`."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    return_path: str | None = None
    """May hold `{id}`, so that a bounce names its delivery."""
    authorities: Path | None = None
    """Certificates to trust instead of the system's."""
    region: Region | None = None
    """Where it is; needed where `region` is set."""


class SmsSettings(WithKey):
    """A provider that takes JSON by HTTP; the key is its token."""

    url: Url
    sender: str
    keyed: bool = True
    """Whether the same `Idempotency-Key` twice is one message there."""
    tells: bool = False
    """Whether `GET URL/{id}` says there what became of a message."""
    region: Region | None = None


class MessageHookSettings(WithSecrets):
    """Where messages of the channel `webhook` go, signed by Standard Webhooks."""

    url: Url
    region: Region | None = None


class NewsSettings(WithSecrets):
    """What providers sign with when they tell what became of messages."""


class ContactSettings(WithKey):
    """The host's directory of addresses: GET URL/{user}, asked each time, never stored."""

    url: Url
    locale: str = "en"
    timeout_s: Positive = 5.0
    region: Region | None = None


class TryingSettings(Section):
    """Shares of decisions on next steps that are left to chance, so that what helps can be learned:
    nothing new shown, and any of the short list first. Without them no ranker is ever learned."""

    nothing: float = Field(default=0.05, ge=0, le=0.5)
    explore: float = Field(default=0.30, ge=0, le=1)


class OnboardingSettings(Section):
    """Whom the copilot guides; without `folder` nobody."""

    folder: Path | None = None
    """Data files of the host: events, actions, journeys and what else docs/onboarding.md names;
    relative to embark.toml."""
    url: SecretStr | None = None
    """SQLAlchemy address; `database.url` when that is set, else a file of its own."""
    region: Region | None = None
    """Where that server is; needed where `region` is set."""
    events: EventKeySettings = EventKeySettings()
    base_url: Url = "http://localhost"
    """Of the host product: where links in messages lead."""
    api_url: Url = "http://localhost/v1"
    """The public address of our own `/v1`: where links to unsubscribe lead."""
    sender: str = "Embark"
    """Who messages are from."""
    trying: TryingSettings = TryingSettings()
    zone: str | None = None
    """IANA name: quiet hours of people whose own zone is not known."""
    private_hosts: tuple[str, ...] = ()
    """`host:port` on a private or loopback address that messages may go to all the same."""
    mail: MailSettings | None = None
    sms: SmsSettings | None = None
    webhook: MessageHookSettings | None = None
    news: NewsSettings | None = None
    contacts: ContactSettings | None = None
    """Without a directory nobody has an address: only the inbox of the app is used."""
