"""bytes -> text with `\\n` line ends."""

from __future__ import annotations

import codecs

from ingest.types import PageFault

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode(data: bytes, encoding: str = "utf-8") -> str:
    """Text of a page; a byte order mark overrules `encoding`. Raises PageFault with the line."""
    for mark, marked in _MARKS:
        if data.startswith(mark):
            encoding = marked
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        bad = data[error.start]
        message = f"byte 0x{bad:02x} at offset {error.start} is not {error.encoding.upper()} text"
        raise PageFault(message, "save the page as UTF-8", line) from error
    except LookupError as error:
        message = f"unknown character encoding {encoding!r}"
        raise PageFault(message, "save the page as UTF-8", 1) from error
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise PageFault("the page holds binary data", "exclude it, or give it its suffix", line)
    return text.replace("\r\n", "\n").replace("\r", "\n")
