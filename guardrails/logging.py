"""Logs that cannot hold a message body: typed fields, an allow list, redaction as second lock."""

from __future__ import annotations

import logging as levels
from collections.abc import Mapping, MutableMapping
from typing import Any, BinaryIO, Literal, LiteralString

import orjson
import structlog

from guardrails.patterns import PatternRedactor
from guardrails.types import Redacted, Redactor

Level = Literal["debug", "info", "warning", "error"]
Field = Redacted | int | float | bool | None

_IDENTIFIERS = (
    "trace_id span_id thread_id run_id message_id request_id tenant tenant_id action_id chunk_id "
    "doc_id job_id index_version model version"
)
IDENTIFIERS = frozenset(_IDENTIFIERS.split())
"""Text fields that our own code makes up: opaque ids and versions."""
_CODES = "code reason outcome state step route method status component level event"
CODES = frozenset(_CODES.split())
"""Text fields whose values are stable codes of our own."""
_WITHHELD = "<WITHHELD>"
_MAX_CODE = 128
"""Longest value of an identifier or code; anything longer is no code."""


class Log:
    """A logger whose fields are numbers, codes, ids or Redacted text, held by the type checker.

    What gets past the checker is still masked by `RedactStrings` before it is written.
    """

    def __init__(self, logger: Any) -> None:  # structlog's loggers are lazy proxies without a type
        self._logger = logger

    def bind(self, **ids: str) -> Log:
        """A logger that adds these identifiers to each line. Raises ValueError on another name."""
        unknown = sorted(set(ids) - IDENTIFIERS - CODES)
        if unknown:
            raise ValueError(
                f"log fields {', '.join(unknown)} are not identifiers; pass them as Redacted text"
            )
        return Log(self._logger.bind(**ids))

    def write(
        self,
        level: Level,
        event: LiteralString,
        codes: Mapping[str, str] | None = None,
        /,
        **fields: Field,
    ) -> None:
        """One line. `codes` holds ids and stable codes by name, `fields` numbers and text.

        Raises ValueError where a name in `codes` is neither in `IDENTIFIERS` nor in `CODES`.
        """
        bound = self.bind(**(codes or {}))._logger
        bound.log(_LEVELS[level], event, **fields)

    def debug(self, event: LiteralString, /, **fields: Field) -> None:
        self.write("debug", event, None, **fields)

    def info(self, event: LiteralString, /, **fields: Field) -> None:
        self.write("info", event, None, **fields)

    def warning(self, event: LiteralString, /, **fields: Field) -> None:
        self.write("warning", event, None, **fields)

    def error(self, event: LiteralString, /, **fields: Field) -> None:
        self.write("error", event, None, **fields)


_LEVELS: dict[str, int] = {
    "debug": levels.DEBUG,
    "info": levels.INFO,
    "warning": levels.WARNING,
    "error": levels.ERROR,
}


class RedactStrings:
    """structlog processor, to stand last before the renderer: every string, at any depth and also
    in keys, is redacted; what is no JSON value is withheld. Never raises."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(
        self, _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> Mapping[str, Any]:
        return {self._text(key): self._field(key, value) for key, value in event.items()}

    def _field(self, key: str, value: object) -> object:
        named = key in IDENTIFIERS or key in CODES or key == "timestamp"
        if named and isinstance(value, str) and len(value) > _MAX_CODE:
            return _WITHHELD
        return self._value(value)

    def _value(self, value: object) -> object:
        match value:
            case str():
                return self._text(value)
            case bool() | int() | float() | None:
                return value
            case Mapping():
                return {self._text(str(k)): self._value(v) for k, v in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._value(item) for item in value]
            case _:
                return _WITHHELD

    def _text(self, text: str) -> str:
        return self._redactor.redact(text).text


def open_log(stream: BinaryIO, level: Level = "info", redactor: Redactor | None = None) -> Log:
    """A logger that writes one JSON object a line to `stream`: level, event, timestamp, fields.

    Exceptions are logged as their type alone: messages and tracebacks hold values.
    """
    logger = structlog.wrap_logger(
        structlog.BytesLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _exception_type,
            RedactStrings(redactor or PatternRedactor()),
            structlog.processors.JSONRenderer(serializer=_to_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        cache_logger_on_first_use=False,
    )
    return Log(logger)


def _exception_type(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    failure = event.pop("exc_info", None)
    if isinstance(failure, BaseException):
        event["exception"] = type(failure).__qualname__
    return event


def _to_json(event: object, **_: object) -> bytes:
    return orjson.dumps(event)
