"""A reading operation, and the one thing in its answer that is meant."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue

from tools.configured.backend import Backend, Sending, StatusError
from tools.policy.mapping import Missing, Values, at, fill, fill_all
from tools.policy.types import Find, Pages, Reading
from tools.tool import UncertainError
from tools.types import Principal

NOT_FOUND = 404
GONE = 410


@dataclass(frozen=True, slots=True)
class Found:
    item: JsonValue
    etag: str | None


async def read(
    backend: Backend, reading: Reading, values: Values, who: Principal, timeout_s: float
) -> Found | None:
    """What is meant; None when the target does not know it. Raises ToolError."""
    inputs = fill_all(reading.arguments, values)
    try:
        if reading.find is not None:
            return await _found(backend, reading, inputs, values, who, timeout_s)
        reply = await backend.call(reading.operation, inputs, who, Sending(timeout_s))
    except StatusError as failure:
        if failure.status in (NOT_FOUND, GONE):
            return None
        raise
    return Found(reply.body, reply.etag)


async def _found(
    backend: Backend,
    reading: Reading,
    inputs: dict[str, JsonValue],
    values: Values,
    who: Principal,
    timeout_s: float,
) -> Found | None:
    """The first element that fits, over all pages. Raises UncertainError when there are too many
    pages to be sure."""
    assert reading.find is not None
    pages = backend.pages
    for _ in range(pages.most if pages else 1):
        reply = await backend.call(reading.operation, inputs, who, Sending(timeout_s))
        found = _first(reply.body, reading.find, values)
        if found is not None:
            return Found(found, None)
        following = _next(reply.body, pages)
        if following is None or pages is None:
            return None
        inputs = {**inputs, pages.argument: following}
    raise UncertainError("too_many_pages", "the list is too long to look through")


def _next(body: JsonValue, pages: Pages | None) -> JsonValue:
    following = at(body, pages.next) if pages else None
    return None if isinstance(following, Missing) or following == "" else following


def _first(body: JsonValue, find: Find, values: Values) -> JsonValue:
    items = at(body, find.in_)
    if not isinstance(items, list):
        return None
    return next((item for item in items if holds(item, find.where, values)), None)


def holds(item: JsonValue, wanted: Values, values: Values) -> bool:
    """Whether every pointer has the value that is wanted of it. A value that is not given is not
    wanted. Text is compared without regard to case, as addresses and domains are kept."""
    for pointer, template in wanted.items():
        value = fill(template, values)
        if not isinstance(value, Missing) and not _same(at(item, pointer), value):
            return False
    return True


def _same(have: JsonValue | Missing, wanted: JsonValue) -> bool:
    if isinstance(have, str) and isinstance(wanted, str):
        return have.casefold() == wanted.casefold()
    if isinstance(have, list) and isinstance(wanted, list):
        return sorted(map(str, have)) == sorted(map(str, wanted))
    if isinstance(have, str) != isinstance(wanted, str) and not isinstance(have, bool):
        return str(have) == str(wanted)  # decimals travel as text
    return have == wanted
