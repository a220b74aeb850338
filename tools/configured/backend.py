"""The seam between a policy entry and the protocol that its operations are called by."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from pydantic import JsonValue

from tools.policy.types import Pages
from tools.tool import RejectedError
from tools.types import Principal

Inputs = Mapping[str, JsonValue]
"""Field to value. A field is a parameter's name, `query:NAME` and the like, or a pointer into the
body."""


class OperationError(ValueError):
    """The document has no such operation or field, or has it in a form that is not supported."""


class StatusError(RejectedError):
    """A refusal with its HTTP status; 404 where a protocol without statuses says `not found`."""

    def __init__(self, code: str, detail: str, status: int) -> None:
        super().__init__(code, detail)
        self.status = status


@dataclass(frozen=True, slots=True)
class FieldShape:
    schema: Mapping[str, JsonValue]
    required: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """What an operation takes. `fragment` is all of it that decides what a call means, for
    versions. `must` names required fields that are neither asked for nor fixed."""

    fields: Mapping[str, FieldShape]
    must: tuple[str, ...]
    fragment: JsonValue
    writes: bool
    deletes: bool = False
    takes_etag: bool = False
    needs_etag: bool = False


class Sending(NamedTuple):
    """How a request goes out. `key` is the idempotency key of every try."""

    timeout_s: float
    writes: bool = False
    key: str = ""
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A good answer. `etag` only where the target has versions of its own."""

    body: JsonValue
    etag: str | None = None


class Backend(Protocol):
    """Operations of one source."""

    @property
    def id(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def pages(self) -> Pages | None:
        """How lists go on; None where they come whole."""
        ...

    @property
    def reviewed_only(self) -> bool:
        """Whether operations change without notice, so that each needs a pin of what was read."""
        ...

    def describe(self, operation: str, fields: Collection[str], fixed: Inputs) -> Shape:
        """Raises OperationError."""
        ...

    async def call(self, operation: str, inputs: Inputs, who: Principal, sending: Sending) -> Reply:
        """Raises ToolError only; of reading requests never UncertainError."""
        ...

    async def aclose(self) -> None: ...
