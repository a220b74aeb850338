"""Wire models of the REST surface; field names are camelCase on the wire, as in AG-UI."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from ag_ui.core import RunAgentInput
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

WIRE_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,127}$")
WireId = Annotated[str, Field(pattern=WIRE_ID.pattern)]
"""A client-made id; it becomes part of keys and log lines, so its alphabet is small."""


class Wire(BaseModel):
    """Base of everything that we answer with."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class RunInput(RunAgentInput):
    """AG-UI's input with ids that are safe to store.

    Only the last user message is read. Earlier messages, `state` and any identity in the body are
    untrusted: the server's own history wins.
    """

    thread_id: WireId
    run_id: WireId


class CitationBody(Wire):
    """One citation, the same as in `TEXT_MESSAGE_END.metadata.citations`."""

    id: str
    marker: int
    chunk_id: str
    url: str
    title: str
    doc_version: str
    quote: str


class MessageBody(Wire):
    """A stored message; `metadata` of an answer holds citations, confidence and refusal."""

    id: str
    role: Literal["user", "assistant"]
    content: str
    created: str  # ISO 8601, UTC
    metadata: dict[str, Any] | None = None


class ConversationBody(Wire):
    """A conversation as it is stored. `running` when its last question is still being answered."""

    thread_id: str
    created: str
    running: bool
    messages: tuple[MessageBody, ...]


class PassageBody(Wire):
    """The stored text behind a citation, in the index version that is current now."""

    chunk_id: str
    title: str
    heading_path: tuple[str, ...]
    anchor: str | None
    url: str
    text: str  # Markdown
    doc_version: str
    index_version: str


class SuggestionsBody(Wire):
    """Questions that an empty page may offer."""

    suggestions: tuple[str, ...]


class CheckBody(Wire):
    """One thing that readiness depends on."""

    ok: bool
    detail: str


class HealthBody(Wire):
    """`ready` is true when every check is ok."""

    ready: bool
    checks: dict[str, CheckBody]


class LiveBody(Wire):
    """The process runs and its event loop turns."""

    status: Literal["ok"] = "ok"


class ProblemBody(BaseModel):
    """RFC 9457 problem document."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[dict[str, str]] = Field(default_factory=list)
