"""Every setting that Embark has, its default and its limits; imported by wiring and cli only.

Values come from `embark.layers.load_settings`. Building `Settings(...)` directly reads neither
files nor the environment, so a test sees exactly what it passes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

Port = Annotated[int, Field(ge=0, le=65535)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


def default_data_dir() -> Path:
    """`embark` below the XDG data directory: `$XDG_DATA_HOME`, else `~/.local/share`."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "embark"


class _Section(BaseModel):
    """A table of embark.toml: immutable, and unknown keys are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _WithKey(_Section):
    """A section that may need a key: named by a file or a variable, never written in a file."""

    api_key: SecretStr | None = None
    """Only from the environment (such as EMBARK_MODEL__API_KEY)."""
    api_key_file: Path | None = None
    """File that holds the key and nothing else."""
    api_key_env: str | None = None
    """Name of another environment variable that holds the key."""

    def key(self) -> str | None:
        """The key, wherever it stands. Raises OSError when `api_key_file` cannot be read."""
        if self.api_key is not None:
            return self.api_key.get_secret_value()
        if self.api_key_file is not None:
            return self.api_key_file.read_text(encoding="utf-8").strip()
        return os.environ.get(self.api_key_env) if self.api_key_env else None


class SourceSettings(_Section):
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


class IndexSettings(_WithKey):
    """Where vectors live."""

    kind: Literal["edge", "server"] = "edge"
    url: str | None = None
    """Address of the Qdrant server; needed for `server`."""
    keep: Count = 2
    """Versions that `embark index gc` leaves."""
    golden: Path | None = None
    """Questions with the page that answers them (JSONL): the gate asks them before a switch."""

    @model_validator(mode="after")
    def _server_has_a_url(self) -> Self:
        if self.kind == "server" and not self.url:
            raise ValueError('kind = "server" needs `url`, such as http://127.0.0.1:6333')
        return self


class EncoderSettings(_Section):
    """The sentence encoder."""

    model: str | None = None
    """A sentence-transformers name or folder; the packaged all-MiniLM-L6-v2 when not set."""
    backend: Literal["auto", "hash"] = "auto"
    """`auto`: the fastest exact runtime; `hash` knows words, no meaning, and needs no model."""
    threads: Annotated[int, Field(ge=0)] = 0
    """Cores of the runtime; 0 leaves it to the runtime."""
    allow_download: bool = False
    """Whether a model that is not here may be fetched from the hub, once."""


class ModelSettings(_WithKey):
    """A chat model behind an OpenAI-compatible address; without one answers are extractive."""

    base_url: str
    name: str
    connect_timeout_s: Positive = 5.0
    first_timeout_s: Positive = 4.0
    """To the first sentence; after it the extractive answerer takes over."""
    gap_timeout_s: Positive = 4.0
    """Between sentences."""
    total_timeout_s: Positive = 60.0
    max_output_tokens: Count = 800
    retries: Annotated[int, Field(ge=0, le=5)] = 2


class RedactionSettings(_Section):
    """What masks personal data and secrets."""

    engine: Literal["patterns", "presidio"] = "patterns"
    """Both mask the same entities; Presidio takes other engines too, and seconds to import."""


class AnswerSettings(_Section):
    """When to answer and when to refuse."""

    risk: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.05
    """Share of answered questions that may lack a true answer; picks the threshold."""
    threshold: Fraction | None = None
    """Least calibrated confidence; overrides `risk`."""
    passages: Annotated[int, Field(ge=1, le=20)] = 8
    """Passages handed to the answerer."""


class DatabaseSettings(_Section):
    """Where conversations live."""

    url: SecretStr | None = None
    """SQLAlchemy address; SQLite in the data folder when not set."""


class FactSettings(_Section):
    """A fact that may fill an argument, as one part of what a reading tool finds."""

    tool: str
    arguments: dict[str, str | int | bool] = {}
    at: str
    """JSON pointer into the result."""


class ActionSettings(_Section):
    """What the copilot may do; without `tools` it answers and does nothing."""

    tools: Path | None = None
    """Policy file that lists the tools; relative to embark.toml."""
    flows: Path | None = None
    """Folder of flow files; relative to embark.toml."""
    url: SecretStr | None = None
    """SQLAlchemy address of the journal; a file of its own in the data folder when not set."""
    private_hosts: tuple[str, ...] = ()
    """`host:port` on a private or loopback address that tools may call all the same."""
    facts: dict[str, FactSettings] = {}
    """Facts by name, such as `"profile.email_domain"`; arguments say which may fill them."""
    addresses: dict[str, str] = {}
    """Source of the policy file -> base address that stands in for the one written there."""
    workers: Count = 8
    """Actions that one process does at a time."""
    lease_s: Positive = 15.0
    """For how long an action belongs to its worker unless renewed."""


class IdentitySettings(_Section):
    """Who the bearer token of a request belongs to, as the host product says."""

    url: str
    """Address that answers a user's own token with the user, such as https://api.example/v1/me."""
    target: str
    """Source of the policy file whose tools use that token."""
    subject: str = "/id"
    """JSON pointers into the answer, from here on."""
    account: str = "/account/id"
    role: str = "/role"
    plan: str = "/plan"
    rights: str = "/permissions"
    auth_time: str = "/auth_time"


class DemoSettings(_Section):
    """The host product that `embark demo` starts beside the server."""

    command: tuple[str, ...] = ()
    """Program and arguments; `{python}` is this interpreter, `{data}` a folder of its own."""
    folder: Path | None = None
    """Where it runs; relative to embark.toml."""
    session_file: str = "demo.json"
    """JSON file in `{data}` that appears once the product is ready."""
    token: str = "/token"
    """JSON pointer of the token of the user who opens the page."""


class ServerSettings(_Section):
    """The HTTP server and its caps."""

    host: str = "127.0.0.1"
    port: Port = 8765
    viewer: dict[str, tuple[str, ...]] = {}
    """Labels of visitors without an identity; without any they see the pages without labels."""
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    allowed_origins: tuple[str, ...] = ()
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
    demo: DemoSettings = DemoSettings()
    suggestions: tuple[str, ...] = ()
    """Questions that the empty chat page offers."""
    viewer: dict[str, tuple[str, ...]] | None = None
    """Labels that the command line holds; not set, it sees as staff do: everything."""
    log_level: LogLevel = "warning"

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
