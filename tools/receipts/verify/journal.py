"""A dump of the journal held against receipts: the arguments that each receipt committed to.

One JSON object a line: `tenant`, `seq`, `action_id`, `digest`, `tool`, `tool_version`, `outcome`
(null when the action went on to another one since), and `salt` with `args`, both null once the
person was erased.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from .reading import Payload, b64url
from .result import InputError

Row = Mapping[str, Any]
COMPARED = ("action_id", "digest", "tool", "tool_version", "outcome")
COLUMNS = ("tenant", "seq", *COMPARED, "salt", "args")


class Journal:
    """Rows by tenant and number of their receipt."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = {(row["tenant"], row["seq"]): row for row in rows}

    @classmethod
    def load(cls, dump: Iterable[str]) -> Journal:
        """Raises InputError."""
        return cls(_row(line, number) for number, line in enumerate(dump, start=1))

    def objection(self, payload: Payload) -> str | None:
        """How the journal contradicts a receipt."""
        row = self.rows.get((payload["tenant"], payload["seq"]))
        if row is None:
            return "the journal has nothing with this receipt"
        for name in COMPARED:
            if row[name] != payload[name] and (row[name] is not None or name != "outcome"):
                return f"{name}: the journal says {row[name]!r}, the receipt {payload[name]!r}"
        if (
            row["salt"] is not None
            and commitment(row["salt"], row["args"]) != payload["args_commit"]
        ):
            return "the arguments in the journal are not those of the receipt"
        return None


def _row(line: str, number: int) -> Row:
    try:
        row = json.loads(line, parse_float=_no_float)
        whole = set(row) == set(COLUMNS) and (row["salt"] is None) == (row["args"] is None)
    except (ValueError, TypeError) as failure:
        raise InputError(f"journal dump, line {number}: {failure}") from failure
    if not whole:
        raise InputError(f"journal dump, line {number}: has not exactly {', '.join(COLUMNS)}")
    return row  # type: ignore[no-any-return]  # an object, looked at above


def _no_float(text: str) -> float:
    raise ValueError(f"{text}: arguments hold no floats")


def commitment(salt: str, arguments: Mapping[str, Any]) -> str:
    """base64url HMAC-SHA256 of the arguments' RFC 8785 form; the salt's text is the key."""
    return b64url(hmac.digest(salt.encode(), canonical(arguments).encode(), sha256)).decode()


def canonical(value: Any) -> str:
    """RFC 8785 of JSON without floats: names in the order of their UTF-16 code units."""
    if isinstance(value, Mapping):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{_text(name)}:{canonical(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return _text(value)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
