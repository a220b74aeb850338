"""Settings of who comes in: users, staff; and of who tells whom by webhooks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from embark.sections import Origin, Region, Section, WithKey, WithSecrets

Store = Literal["auto", "memory", "database"]
"""`auto`: `database` where that is a PostgreSQL server, which several processes may share."""


class TokenKeySettings(Section):
    """A key that the backend of one workspace signs widget tokens with."""

    kid: Annotated[str, Field(min_length=1, max_length=100)]
    alg: Literal["ES256", "HS256"]
    workspace: str = "default"
    issuer: Annotated[str, Field(min_length=1)]
    """What `iss` must be."""
    audience: Annotated[str, Field(min_length=1)]
    """What `aud` must be, or hold."""
    origins: Annotated[tuple[Origin, ...], Field(min_length=1)]
    """Of the pages that hold the widget, as browsers send them."""
    public_key: str | None = None
    """PEM or JWK of an ES256 key."""
    api_key_file: Path | None = None
    """File that holds the key, or an HS256 secret of at least 32 bytes, and nothing else."""
    api_key_env: str | None = None
    """Name of an environment variable that holds it."""

    @model_validator(mode="after")
    def _has_one_key(self) -> Self:
        given = [self.public_key, self.api_key_file, self.api_key_env]
        if sum(place is not None for place in given) != 1:
            raise ValueError("give one of public_key, api_key_file and api_key_env")
        if self.public_key is not None and self.alg == "HS256":
            raise ValueError("an HS256 secret stands in no file that holds settings")
        return self

    def key(self) -> str:
        """The key, wherever it stands; empty where it does not. Raises OSError."""
        if self.api_key_file is not None:
            return self.api_key_file.read_text(encoding="utf-8").strip()
        return self.public_key or os.environ.get(self.api_key_env or "", "")


class TokenSettings(Section):
    """Widget tokens, which the host's backend signs."""

    keys: Annotated[tuple[TokenKeySettings, ...], Field(min_length=1)]
    """At most two of a workspace at a time."""
    roles: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Rights of each role that a token may name; others grant nothing."""
    store: Store = "auto"
    """Where sessions are kept."""


class IdentitySettings(Section):
    """Who the bearer token of a request belongs to: as the host product says, or its tokens."""

    tokens: TokenSettings | None = None
    url: str | None = None
    """Address that answers a user's own token with the user, such as https://api.example/v1/me."""
    target: str = ""
    """Source of the policy file whose tools use that token."""
    subject: str = "/id"
    """JSON pointers into the answer, from here on."""
    account: str = "/account/id"
    role: str = "/role"
    plan: str = "/plan"
    rights: str = "/permissions"
    auth_time: str = "/auth_time"

    @model_validator(mode="after")
    def _says_who(self) -> Self:
        if self.url is None and self.tokens is None:
            raise ValueError("give `url`, or `tokens`, or both")
        if (self.url is None) != (not self.target):
            raise ValueError("`url` and `target` go together")
        return self


class OidcSettings(WithKey):
    """The identity provider of staff: OpenID Connect with a code and PKCE. Its `api_key` is the
    client secret; without one the client is public."""

    issuer: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")]
    """Exactly as the provider writes it."""
    client_id: Annotated[str, Field(min_length=1)]
    algorithm: Literal["RS256", "PS256", "ES256"] = "RS256"
    """Of its ID tokens, whatever a token says."""
    roles_claim: Annotated[str, Field(pattern=r"^/.+$")] = "/roles"
    """JSON pointer into the ID token: a list of names, or one."""
    scopes: str = "openid"
    region: Region | None = None
    """Where it is; needed where `region` is set."""
    hosts: tuple[str, ...] = ()
    """Other hosts that its discovery document names."""
    private_hosts: tuple[str, ...] = ()
    """`host:port` on a private or loopback address where it may be all the same."""


class StaffSettings(Section):
    """People of one's own who read, decide and stop; without `oidc` on one's own machine only."""

    url: Origin | None = None
    """Of this server, as staff's browsers see it; needed for `oidc`."""
    oidc: OidcSettings | None = None
    roles: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Rights of each role that the provider may name; others grant nothing."""
    store: Store = "auto"
    """Where sessions are kept."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.oidc is None:
            return self
        if self.url is None or not any(self.roles.values()):
            raise ValueError("with `oidc` give `url` and `roles`, else nobody could come in")
        if "openid" not in self.oidc.scopes.split():
            raise ValueError("oidc.scopes must hold openid")
        return self


class WebhookSettings(WithSecrets):
    """Somebody to be told of what happened, by Standard Webhooks."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s#]+$")]
    region: Region | None = None
    """Where it is; needed where `region` is set."""
    events: tuple[
        Literal["action.settled", "action.unknown", "receipts.checkpoint", "erasure.completed"],
        ...,
    ] = ("action.settled", "action.unknown", "receipts.checkpoint", "erasure.completed")


class HostWebhookSettings(WithSecrets):
    """What the host's backend signs its messages to `/v1/webhooks/host` with."""
