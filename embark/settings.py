"""Every setting that Embark has, its default and its limits; imported by wiring and cli only.

Values come from `embark.layers.load_settings`. Building `Settings(...)` directly reads neither
files nor the environment, so a test sees exactly what it passes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from embark.sections import Count, Fraction, Origin, Port, Positive, Region, Section, WithKey
from embark.settings_onboarding import OnboardingSettings
from embark.settings_people import (
    HostWebhookSettings,
    IdentitySettings,
    StaffSettings,
    Store,
    WebhookSettings,
)


def default_data_dir() -> Path:
    """`embark` below the XDG data directory: `$XDG_DATA_HOME`, else `~/.local/share`."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "embark"


class SourceSettings(Section):
    """One place that documentation comes from."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    kind: Literal["folder", "git", "sitemap"] = "folder"
    path: Path | None = None
    """Folder or git checkout; relative to embark.toml."""
    url: str | None = None
    """Address of sitemap.xml."""
    ref: str | None = None
    """Git branch, tag or commit; the checkout's HEAD when not set."""
    subdir: str = ""
    """Part of a git tree to read."""
    labels: Path | None = None
    """Rules file that labels pages; relative to embark.toml."""
    base_url: str | None = None
    """Public address of the source's root, for links in citations."""

    @model_validator(mode="after")
    def _has_a_place(self) -> Self:
        if self.kind == "sitemap" and not self.url:
            raise ValueError("a sitemap source needs `url`")
        if self.kind != "sitemap" and self.path is None:
            raise ValueError(f"a {self.kind} source needs `path`")
        return self


class IndexSettings(WithKey):
    """Where vectors live."""

    kind: Literal["edge", "server"] = "edge"
    url: str | None = None
    """Address of the Qdrant server; needed for `server`."""
    region: Region | None = None
    """Where the server is; needed where `region` is set."""
    keep: Count = 2
    """Versions that `embark index gc` leaves."""
    golden: Path | None = None
    """Questions with the page that answers them (JSONL): the gate asks them before a switch."""

    @model_validator(mode="after")
    def _server_has_a_url(self) -> Self:
        if self.kind == "server" and not self.url:
            raise ValueError('kind = "server" needs `url`, such as http://127.0.0.1:6333')
        return self


class EncoderSettings(Section):
    """The sentence encoder."""

    model: str | None = None
    """A sentence-transformers name or folder; the packaged all-MiniLM-L6-v2 when not set."""
    backend: Literal["auto", "hash"] = "auto"
    """`auto`: the fastest exact runtime; `hash` knows words, no meaning, and needs no model."""
    threads: Annotated[int, Field(ge=0)] = 0
    """Cores of the runtime; 0 leaves it to the runtime."""
    allow_download: bool = False
    """Whether a model that is not here may be fetched from the hub, once."""


class ModelSettings(WithKey):
    """A chat model behind an OpenAI-compatible address; without one answers are extractive."""

    base_url: str
    name: str
    region: Region | None = None
    """Where it is; needed where `region` is set."""
    connect_timeout_s: Positive = 5.0
    first_timeout_s: Positive = 4.0
    """To the first sentence; after it the extractive answerer takes over."""
    gap_timeout_s: Positive = 4.0
    """Between sentences."""
    total_timeout_s: Positive = 60.0
    max_output_tokens: Count = 800
    retries: Annotated[int, Field(ge=0, le=5)] = 2


Becomes = Literal["pass", "pseudonym", "mask", "refuse"]


class RedactionSettings(Section):
    """What masks personal data and secrets."""

    engine: Literal["auto", "names", "patterns", "presidio"] = "auto"
    """All mask what has a shape. `names` finds people, places and companies too; `auto` does where
    the encoder is the real one. Presidio takes other engines, and seconds to import."""
    entities: dict[str, Becomes] = Field(default_factory=dict)
    """What becomes of an entity: `pass`, `pseudonym` (others), `mask` or `refuse`."""
    terms: tuple[str, ...] = ()
    """Names of products that are never masked, beside common ones and those of your docs."""
    workers: Count = 1
    """Processes that look for names."""
    model: Annotated[str, Field(pattern=r"^(spacy|transformers):.+$")] | None = None
    """Another model of names than the shipped one, which has to be here: `spacy:en_core_web_lg`,
    `transformers:NAME`, or a folder behind the colon."""


class AnswerSettings(Section):
    """When to answer and when to refuse."""

    risk: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.05
    """Share of answered questions that may lack a true answer; picks the threshold."""
    threshold: Fraction | None = None
    """Least calibrated confidence; overrides `risk`."""
    passages: Annotated[int, Field(ge=1, le=20)] = 8
    """Passages handed to the answerer."""


class DatabaseSettings(Section):
    """Where conversations live."""

    url: SecretStr | None = None
    """SQLAlchemy address; SQLite in the data folder when not set."""
    region: Region | None = None
    """Where the server is; needed where `region` is set."""


class FactSettings(Section):
    """A fact that may fill an argument, as one part of what a reading tool finds."""

    tool: str
    arguments: dict[str, str | int | bool] = Field(default_factory=dict)
    at: str
    """JSON pointer into the result."""


class ActionSettings(Section):
    """What the copilot may do; without `tools` it answers and does nothing."""

    tools: Path | None = None
    """Policy file that lists the tools; relative to embark.toml."""
    flows: Path | None = None
    """Folder of flow files; relative to embark.toml."""
    url: SecretStr | None = None
    """SQLAlchemy address of the journal; a file of its own in the data folder when not set."""
    region: Region | None = None
    """Where that server is; needed where `region` is set."""
    regions: dict[str, Region] = Field(default_factory=dict)
    """Source of the policy file -> where it is; needed for each where `region` is set."""
    private_hosts: tuple[str, ...] = ()
    """`host:port` on a private or loopback address that tools may call all the same."""
    facts: dict[str, FactSettings] = Field(default_factory=dict)
    """Facts by name, such as `"profile.email_domain"`; arguments say which may fill them."""
    addresses: dict[str, str] = Field(default_factory=dict)
    """Source of the policy file -> base address that stands in for the one written there."""
    workers: Count = 8
    """Actions that one process does at a time."""
    lease_s: Positive = 15.0
    """For how long an action belongs to its worker unless renewed."""


class RateSettings(Section):
    """`burst` requests at once, `per_s` in the long run."""

    per_s: Positive
    burst: Annotated[float, Field(ge=1)]


class CapSettings(Section):
    """What model calls may cost in a day (UTC); no cap where none is set.

    In the unit of the prices; with prices of 1 in millions of tokens.
    """

    tenant: Positive | None = None
    user: Positive | None = None
    anonymous: Positive | None = None
    """Of all visitors without an identity together."""
    input_price: Annotated[float, Field(ge=0)] = 1.0
    """Of a million tokens."""
    output_price: Annotated[float, Field(ge=0)] = 1.0


class QuotaSettings(Section):
    """How much may be asked. A page makes some five requests when it opens, two for a question."""

    tenant: RateSettings = RateSettings(per_s=500, burst=5000)
    user: RateSettings = RateSettings(per_s=50, burst=500)
    address: RateSettings = RateSettings(per_s=100, burst=1000)
    """An address may be a whole office behind one router."""
    anonymous: RateSettings = RateSettings(per_s=50, burst=500)
    """Of all visitors without an identity together."""
    daily: CapSettings = CapSettings()
    store: Store = "auto"


Days = Annotated[int, Field(ge=1, le=36_500)]


class DecisionDays(Section):
    """Of the decision record, by kind."""

    answer: Days | None = None
    refusal: Days | None = None
    suggestion: Days | None = None
    nudge: Days | None = None
    action: Days | None = None
    escalation: Days | None = None


class RetentionSettings(Section):
    """For how many days things are kept. With PostgreSQL each has to be set; `docs/privacy.md` has
    the defaults of one's own machine."""

    conversations: Days | None = None
    """From the last message."""
    run_events: Days | None = None
    """From the last message of the run."""
    held_values: Days | None = None
    """What people typed under a token, from the last message of the conversation."""
    journal_details: Days | None = None
    """Arguments, cards and results of actions, from their end; receipts stay."""
    sessions: Days | None = None
    """From their end."""
    audit: Days | None = None
    product_events: Days | None = None
    """From when they came; sooner where the contract of an event says so."""
    event_quarantine: Days | None = None
    features: Days | None = None
    """From the last event of the person."""
    profile: Days | None = None
    """What was inferred; what a person declared stays until they take it back."""
    profile_graph: Days | None = None
    journeys: Days | None = None
    """From the end of the journey."""
    next_steps: Days | None = None
    deliveries: Days | None = None
    friction_watches: Days | None = None
    decisions: DecisionDays = DecisionDays()


class DemoSettings(Section):
    """The host product that `embark demo` starts beside the server."""

    command: tuple[str, ...] = ()
    """Program and arguments; `{python}` is this interpreter, `{data}` a folder of its own,
    `{copilot}` the address of our chat page, `{events_url}` where it may send events, with
    `{events_key}` as its write key."""
    folder: Path | None = None
    """Where it runs; relative to embark.toml."""
    session_file: str = "demo.json"
    """JSON file in `{data}` that appears once the product is ready."""
    token: str = "/token"
    """JSON pointer of the token of the user who opens the page."""
    page: str = ""
    """How people get to the product's own pages; `{/pointer}` looks into that file."""


class ServerSettings(Section):
    """The HTTP server and its caps."""

    host: str = "127.0.0.1"
    port: Port = 8765
    viewer: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Labels of visitors without an identity; without any they see the pages without labels."""
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    allowed_origins: tuple[Origin | Literal["*"], ...] = ()
    """Other sites that may call from a browser, exactly; never with cookies."""
    max_streams: Count = 1000
    streams_per_client: Count = 64
    max_body_bytes: Count = 262_144
    max_message_bytes: Count = 32_768
    heartbeat_s: Positive = 15.0
    shutdown_grace_s: Positive = 5.0


LogLevel = Literal["debug", "info", "warning", "error"]


class Settings(BaseSettings):
    """The whole configuration of one process."""

    model_config = SettingsConfigDict(
        env_prefix="EMBARK_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    tenant: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")] = "default"
    data_dir: Path = Field(default_factory=default_data_dir)
    region: Region | None = None
    """Everything stays there: a place that is elsewhere, or nowhere known, is not called."""
    sources: tuple[SourceSettings, ...] = ()
    index: IndexSettings = IndexSettings()
    encoder: EncoderSettings = EncoderSettings()
    model: ModelSettings | None = None
    answer: AnswerSettings = AnswerSettings()
    redaction: RedactionSettings = RedactionSettings()
    database: DatabaseSettings = DatabaseSettings()
    server: ServerSettings = ServerSettings()
    actions: ActionSettings = ActionSettings()
    identity: IdentitySettings | None = None
    staff: StaffSettings = StaffSettings()
    webhooks: tuple[WebhookSettings, ...] = ()
    host_webhooks: HostWebhookSettings | None = None
    onboarding: OnboardingSettings = OnboardingSettings()
    quotas: QuotaSettings = QuotaSettings()
    retention: RetentionSettings = RetentionSettings()
    demo: DemoSettings = DemoSettings()
    suggestions: tuple[str, ...] = ()
    """Questions that the empty chat page offers."""
    viewer: dict[str, tuple[str, ...]] | None = None
    """Labels that the command line holds; not set, it sees as staff do: everything."""
    log_level: LogLevel = "warning"

    @model_validator(mode="after")
    def _tokens_name_their_pages(self) -> Self:
        tokens = self.identity.tokens if self.identity is not None else None
        if tokens is not None and "*" in self.server.allowed_origins:
            raise ValueError('server.allowed_origins: no "*" where widget tokens are used')
        if self.staff.oidc is not None and "*" in self.server.allowed_origins:
            raise ValueError('server.allowed_origins: no "*" where staff sign in')
        return self

    @model_validator(mode="after")
    def _source_ids_differ(self) -> Self:
        ids = [source.id for source in self.sources]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"two sources share the id {', '.join(twice)}")
        return self

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed: `embark.layers` merges file, environment and flags, with origins."""
        return (init_settings,)
