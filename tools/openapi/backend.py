"""The operations of an OpenAPI document, called with the acting user's own credential."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from tools.configured import OperationError, Reply, Sending, Shape
from tools.configured.backend import Inputs
from tools.http import Incoming, Outbound, OutboundError, Outgoing
from tools.numbers import parsed
from tools.openapi.answers import failure
from tools.openapi.document import Document
from tools.openapi.operations import Operation, describe, read_operation
from tools.openapi.requests import Encoded, encode
from tools.policy.mapping import Missing, at, fill_all
from tools.policy.types import OpenApiSource, Pages
from tools.tool import Credentials, NotSentError, RejectedError, UncertainError
from tools.types import Principal


@dataclass(frozen=True, slots=True)
class OpenApiParts:
    """`base_url` takes precedence over the policy's."""

    document: Document
    outbound: Outbound
    credentials: Credentials
    now: Callable[[], datetime]
    base_url: str = ""


class OpenApiBackend:
    """One source of kind `openapi`."""

    def __init__(self, id: str, source: OpenApiSource, parts: OpenApiParts) -> None:
        self._id = id
        self._source = source
        self._parts = parts
        self._base = (parts.base_url or source.base_url).rstrip("/")
        self._operations: dict[str, Operation] = {}

    @property
    def id(self) -> str:
        return f"openapi:{self._id}"

    @property
    def title(self) -> str:
        return self._source.title

    @property
    def pages(self) -> Pages | None:
        return self._source.pages

    @property
    def reviewed_only(self) -> bool:
        return False

    def operations(self) -> tuple[str, ...]:
        """All that the document has."""
        return self._parts.document.names()

    def describe(self, operation: str, fields: Collection[str], fixed: Inputs) -> Shape:
        found = self._operation(operation)
        return describe(
            found, fields, {**self._everywhere(found), **fixed}, self._ours(), self._send
        )

    @property
    def _send(self) -> str:
        return self._source.etag.send if self._source.etag else ""

    def _ours(self) -> set[str]:
        named = {*self._source.headers, self._source.idempotency_header, self._send}
        return {name.lower() for name in named if name} | {"authorization"}

    def _operation(self, name: str) -> Operation:
        if name not in self._operations:
            self._operations[name] = read_operation(self._parts.document, name)
        return self._operations[name]

    def _everywhere(self, operation: Operation) -> dict[str, JsonValue]:
        """The source's own fixed values, where the operation has such a parameter."""
        fixed = self._source.fixed.items()
        return {field: value for field, value in fixed if operation.parameter(field)}

    async def call(self, operation: str, inputs: Inputs, who: Principal, sending: Sending) -> Reply:
        found = self._operation(operation)
        own: JsonValue = {"tenant": who.tenant, "subject": who.subject, "account": who.account}
        given = {**fill_all(self._everywhere(found), {"who": own}), **inputs}
        try:
            encoded = encode(found, given)
        except OperationError as mistake:
            raise RejectedError("bad_argument", str(mistake)) from mistake
        answer = await self._answer(encoded, await self._headers(encoded, who, sending), sending)
        error = failure(answer, self._source.errors, self._parts.now(), writes=sending.writes)
        if error is not None:
            raise error
        return Reply(self._unwrapped(parsed(answer.body)), self._etag(answer))

    async def _headers(self, encoded: Encoded, who: Principal, sending: Sending) -> dict[str, str]:
        source = self._source
        headers = {"Accept": "application/json", **source.headers, **encoded.headers}
        if sending.key and source.idempotency_header:
            headers[source.idempotency_header] = sending.key
        if sending.etag and self._send:
            headers[self._send] = sending.etag
        if source.credential:
            headers |= await self._parts.credentials.headers(who, source.credential)
        return headers

    async def _answer(
        self, encoded: Encoded, headers: dict[str, str], sending: Sending
    ) -> Incoming:
        out = Outgoing(
            encoded.method,
            self._base + encoded.path,
            headers,
            encoded.content,
            sending.timeout_s,
        )
        try:
            return await self._parts.outbound.send(out)
        except OutboundError as lost:
            if lost.sent and sending.writes:
                raise UncertainError(lost.code, lost.detail) from lost
            raise NotSentError(lost.code, lost.detail) from lost

    def _unwrapped(self, body: JsonValue) -> JsonValue:
        """What lies in the envelope. Beside a list the envelope stays, for the next page."""
        inner = at(body, self._source.envelope)
        return body if isinstance(inner, Missing | list) else inner

    def _etag(self, answer: Incoming) -> str | None:
        policy = self._source.etag
        return answer.headers.get(policy.header.lower()) if policy else None

    async def aclose(self) -> None:
        await self._parts.outbound.aclose()
