"""What sections of the settings are made of: immutable tables, limits, places of keys."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

Port = Annotated[int, Field(ge=0, le=65535)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Region = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""Your own name of it, such as `eu` or `eu-central-1`."""
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Origin = Annotated[
    str,
    Field(pattern=r"^(https://[a-z0-9.-]+|http://(localhost|127\.0\.0\.1|\[::1\]))(:[0-9]{1,5})?$"),
]
"""Of a page, as browsers send it: no path, no `*`; plain HTTP on one's own machine only."""


class Section(BaseModel):
    """A table of embark.toml: immutable, and unknown keys are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WithKey(Section):
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


class WithSecrets(Section):
    """A section with one secret, or two while it is changed: `whsec_` and base64."""

    secrets_file: Path | None = None
    """File that holds them, each on a line of its own."""
    secrets_env: str | None = None
    """Name of a variable that holds them, with a space between."""

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if (self.secrets_file is None) == (self.secrets_env is None):
            raise ValueError("give one of secrets_file and secrets_env")
        return self

    def secrets(self) -> str:
        """As they stand; empty where there are none. Raises OSError."""
        if self.secrets_file is not None:
            return self.secrets_file.read_text(encoding="utf-8")
        return os.environ.get(self.secrets_env or "", "")
