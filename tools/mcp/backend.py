"""The tools of an MCP server as operations of a policy: only reviewed ones, only as reviewed."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client, MCPError
from mcp_types import (
    CONNECTION_CLOSED,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    CallToolResult,
    TextContent,
    Tool,
)
from pydantic import JsonValue

from tools.configured import FieldShape, OperationError, Reply, Sending, Shape, StatusError
from tools.configured.backend import Inputs
from tools.configured.schemas import (
    argument_schema,
    below,
    dereferenced,
    missing_fields,
    to_wire,
)
from tools.http import LARGEST_REPLY, Reach, Resolver
from tools.mcp.session import HttpSession, McpError, Session, StdioSession, list_all
from tools.numbers import parsed
from tools.policy.mapping import Missing, at, put
from tools.policy.types import McpSource, Pages
from tools.tool import Credentials, NotSentError, RejectedError, ToolError, UncertainError
from tools.types import Principal

_REFUSALS: Mapping[int, tuple[str, int]] = {
    INVALID_PARAMS: ("invalid_params", 400),
    INVALID_REQUEST: ("invalid_request", 400),
    METHOD_NOT_FOUND: ("not_found", 404),
}
"""JSON-RPC error -> code and the HTTP status that means the same; nothing was done."""
_NOT_FOUND = ("not_found", "notFound", "404")
LONGEST_DETAIL = 500


def session_of(source: McpSource, folder: Path, reach: Reach, resolver: Resolver) -> Session:
    """How the source is reached. A server of our own is started in `folder`."""
    if source.command:
        return StdioSession(source.command, source.env, folder, source.timeout_s)
    return HttpSession(source.url, reach, source.timeout_s, resolver)


async def open_mcp(
    id: str, source: McpSource, session: Session, credentials: Credentials
) -> McpBackend:
    """Connect and read the list of tools. Raises McpError."""
    try:
        listed = await session.work({}, list_all)
    except MCPError as failure:
        await session.aclose()
        raise McpError(str(failure)) from failure
    except McpError:
        await session.aclose()
        raise
    return McpBackend(id, source, session, credentials, listed)


class McpBackend:
    """One source of kind `mcp`. A tool that is not what it was when the source was opened is
    refused."""

    def __init__(
        self,
        id: str,
        source: McpSource,
        session: Session,
        credentials: Credentials,
        listed: Mapping[str, Tool],
    ) -> None:
        self._id = id
        self._source = source
        self._session = session
        self._credentials = credentials
        self._listed = dict(listed)

    @property
    def id(self) -> str:
        return f"mcp:{self._id}"

    @property
    def title(self) -> str:
        return self._source.title

    @property
    def pages(self) -> Pages | None:
        return None

    @property
    def reviewed_only(self) -> bool:
        return True

    def operations(self) -> tuple[str, ...]:
        return tuple(self._listed)

    def describe(self, operation: str, fields: Collection[str], fixed: Inputs) -> Shape:
        tool = self._tool(operation)
        schema = _schema(tool)
        given = {_pointer(name): value for name, value in fixed.items()}
        for pointer in given:
            below(schema, pointer, given)
        shapes = {}
        for name in fields:
            found, required = below(schema, _pointer(name), given)
            shapes[name] = FieldShape(argument_schema(found), required)
        hints = tool.annotations
        return Shape(
            fields=shapes,
            must=tuple(missing_fields(schema, [_pointer(name) for name in fields], given)),
            fragment=_fragment(tool),
            writes=not (hints and hints.read_only_hint),
            deletes=bool(hints and hints.destructive_hint),
        )

    def _tool(self, name: str) -> Tool:
        if name not in self._listed:
            known = ", ".join(self._listed) or "none"
            raise OperationError(f"the server has no tool {name!r}; it has: {known}")
        return self._listed[name]

    async def call(self, operation: str, inputs: Inputs, who: Principal, sending: Sending) -> Reply:
        headers: Mapping[str, str] = {}
        if self._source.credential:
            headers = await self._credentials.headers(who, self._source.credential)
        arguments = self._arguments(operation, inputs)
        started: list[bool] = []

        async def work(client: Client) -> CallToolResult:
            self._check_unchanged(operation, await list_all(client))
            started.append(True)
            return await client.call_tool(
                operation, arguments, read_timeout_seconds=sending.timeout_s
            )

        try:
            result = await self._session.work(headers, work)
        except McpError as failure:
            raise NotSentError("unreachable", str(failure)) from failure
        except MCPError as failure:
            raise _told(failure, writes=sending.writes and bool(started)) from failure
        except httpx2.HTTPError as failure:
            kind = UncertainError if sending.writes and started else NotSentError
            raise kind("unreachable", type(failure).__name__) from failure
        return Reply(self._body(result, writes=sending.writes))

    def _check_unchanged(self, name: str, now: Mapping[str, Tool]) -> None:
        """Raises RejectedError."""
        tool = now.get(name)
        if tool is None or _fragment(tool) != _fragment(self._tool(name)):
            raise RejectedError("tool_changed", f"{name} is not what was reviewed any more")

    def _arguments(self, operation: str, inputs: Inputs) -> dict[str, Any]:
        arguments: dict[str, JsonValue] = {}
        for name, value in inputs.items():
            put(arguments, _pointer(name), value)
        sent: dict[str, Any] = to_wire(arguments, _schema(self._tool(operation)))
        return sent

    def _body(self, result: CallToolResult, *, writes: bool) -> JsonValue:
        body = _content(result)
        if not result.is_error:
            return body
        code = at(body, self._source.errors.code)
        detail = at(body, self._source.errors.detail)
        told = json.dumps(body) if isinstance(detail, Missing) else str(detail)
        if isinstance(code, str | int):
            status = 404 if str(code) in _NOT_FOUND else 400
            raise StatusError(str(code), told[:LONGEST_DETAIL], status)
        kind = UncertainError if writes else RejectedError
        raise kind("tool_error", told[:LONGEST_DETAIL])

    async def aclose(self) -> None:
        await self._session.aclose()


def _pointer(name: str) -> str:
    return name if name.startswith("/") else f"/{name}"


def _schema(tool: Tool) -> dict[str, Any]:
    schema: dict[str, Any] = dereferenced(tool.input_schema, tool.input_schema)
    return schema


def _fragment(tool: Tool) -> JsonValue:
    """All that the server says of the tool: a description can mislead as well as a schema."""
    fragment: JsonValue = tool.model_dump(mode="json", exclude_none=True, exclude={"meta", "icons"})
    return fragment


def _content(result: CallToolResult) -> JsonValue:
    """Structured content, else the JSON in the first text, else that text."""
    texts = [part.text for part in result.content if isinstance(part, TextContent)]
    text = texts[0] if texts else ""
    if result.structured_content is not None:
        text = json.dumps(result.structured_content)
    if len(text) > LARGEST_REPLY:
        raise UncertainError("reply_too_large", f"more than {LARGEST_REPLY:,} characters")
    return parsed(text.encode())


def _told(failure: MCPError, *, writes: bool) -> ToolError:
    if failure.code in _REFUSALS:
        code, status = _REFUSALS[failure.code]
        return StatusError(code, failure.message[:LONGEST_DETAIL], status)
    names = {CONNECTION_CLOSED: "connection_closed", INTERNAL_ERROR: "internal_error"}
    code = names.get(failure.code, f"rpc_{failure.code}")
    kind = UncertainError if writes else NotSentError
    return kind(code, failure.message[:LONGEST_DETAIL])
