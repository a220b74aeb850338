"""A subject's trail as JSON lines, for the person it is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import orjson

from guardrails.consent.types import Entry
from guardrails.refs import stamp


def exported(trail: Iterable[Entry]) -> Iterator[bytes]:
    """One object a line, in the order given."""
    for entry in trail:
        said = entry.said
        line = {
            "number": entry.number,
            "subject": said.subject,
            "purpose": said.purpose,
            "field": said.field,
            "state": "given" if said.given else "withdrawn",
            "text_version": said.text_version,
            "channel": said.channel,
            "at": stamp(said.at),
            "recorded_by": said.recorded_by,
        }
        yield orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
