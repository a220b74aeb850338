"""policy file -> opened sources -> tools: what a process does once when it starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import urlsplit

from tools.configured import Backend, ConfiguredTool, Problem, configured_tools
from tools.http import Outbound, OutboundError, Outgoing, Pin, Reach, Resolver, anywhere, resolve
from tools.openapi import Document, DocumentError, OpenApiBackend, OpenApiParts, load_document
from tools.policy import McpSource, OpenApiSource, PolicyFile
from tools.policy.types import SourcePart
from tools.tool import Credentials, Tool

HTTP_OK = 200


class SourceError(Exception):
    """A source cannot be opened; says which, why and how to mend it."""

    def __init__(self, source: str, where: str, detail: str) -> None:
        super().__init__(f"{where}: source {source}: {detail}")
        self.source = source


@dataclass(frozen=True, slots=True)
class SourceParts:
    """`private` holds each `host:port` inside that may be reached all the same, none in production.
    `addresses` stands in for the base address of a source, by its id. `pin` keeps every request in
    the region."""

    credentials: Credentials
    now: Callable[[], datetime]
    private: frozenset[str] = frozenset()
    addresses: Mapping[str, str] = field(default_factory=dict)
    resolver: Resolver = resolve
    pin: Pin = anywhere


@dataclass(frozen=True, slots=True)
class Opened:
    """Tools of all sources; `problems` say why others cannot be used. Close it."""

    by_key: Mapping[str, ConfiguredTool]  # as in the file, without namespaces
    problems: tuple[Problem, ...]
    backends: Mapping[str, Backend]

    @property
    def tools(self) -> tuple[Tool, ...]:
        return tuple(self.by_key.values())

    async def aclose(self) -> None:
        for backend in self.backends.values():
            await backend.aclose()


async def open_sources(file: PolicyFile, parts: SourceParts) -> Opened:
    """Raises SourceError where a source cannot be reached or read."""
    backends: dict[str, Backend] = {}
    try:
        for id, source in file.policy.sources.items():
            backends[id] = await _opened(file, id, source, parts)
    except SourceError:
        for backend in backends.values():
            await backend.aclose()
        raise
    built = configured_tools(file, backends)
    return Opened(built.tools, tuple(built.problems), backends)


async def _opened(
    file: PolicyFile, id: str, source: OpenApiSource | McpSource, parts: SourceParts
) -> Backend:
    where = file.at("sources", id)
    base = parts.addresses.get(id, "")
    reach = replace(reach_of(source, base, parts.private), pin=parts.pin)
    match source:
        case OpenApiSource():
            outbound = Outbound(reach, resolver=parts.resolver)
            document = await _document(file, id, source, outbound, base)
            chosen = OpenApiParts(document, outbound, parts.credentials, parts.now, base)
            return OpenApiBackend(id, source, chosen)
        case McpSource():
            from tools.mcp import McpError, open_mcp, session_of  # noqa: PLC0415  # heavy

            session = session_of(source, file.folder, reach, parts.resolver)
            try:
                return await open_mcp(id, source, session, parts.credentials)
            except McpError as failure:
                raise SourceError(id, where, str(failure)) from failure


def reach_of(source: SourcePart, base: str, private: frozenset[str]) -> Reach:
    """What the source may talk to: its hosts, of those inside only what is allowed."""
    own = {host for host in source.hosts if ":" in host}
    if base:
        parts = urlsplit(base)
        own.add(f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}")
    outside = frozenset(host for host in source.hosts if ":" not in host)
    return Reach(outside, frozenset(own) & private)


async def _document(
    file: PolicyFile, id: str, source: OpenApiSource, outbound: Outbound, base: str
) -> Document:
    where = file.at("sources", id, "document")
    try:
        return load_document(await _document_text(file, source, outbound, base))
    except (OSError, UnicodeDecodeError, OutboundError, DocumentError) as failure:
        await outbound.aclose()
        raise SourceError(id, where, f"{source.document} cannot be read: {failure}") from failure


async def _document_text(
    file: PolicyFile, source: OpenApiSource, outbound: Outbound, base: str
) -> str:
    if not source.document.startswith(("http://", "https://")):
        return (file.folder / source.document).read_text(encoding="utf-8")
    url = source.document
    if base and url.startswith(source.base_url):
        url = base.rstrip("/") + url.removeprefix(source.base_url.rstrip("/"))
    answer = await outbound.send(Outgoing("GET", url, {"Accept": "application/json"}))
    if answer.status != HTTP_OK:
        raise DocumentError(f"the server answers {answer.status}")
    return answer.body.decode("utf-8")
