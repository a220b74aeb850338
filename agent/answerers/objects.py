"""A stream of text -> the JSON objects in it, as soon as each is complete.

Models put objects on several lines, several on one line, inside fences or lists, or break off in
the middle. Whatever is not a flat object is skipped and counted, and reading goes on behind it.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson

LONGEST_OBJECT = 16_384
"""Characters; an object that is still open then is given up."""
_HARMLESS = frozenset("[],`")


class ObjectReader:
    """Reads one reply. `malformed` counts what was skipped; `pending` is an object still open."""

    def __init__(self) -> None:
        self.malformed = 0
        self._open: list[str] = []
        self._in_string = False
        self._escaped = False
        self._stray: list[str] = []

    @property
    def pending(self) -> bool:
        return bool(self._open)

    def feed(self, text: str) -> Iterator[dict[str, object]]:
        """The objects that this piece of text completes."""
        for char in text:
            if self._open:
                found = self._inside(char)
                if found is not None:
                    yield found
            elif char == "{":
                self._strays_end()
                self._open.append(char)
            else:
                self._outside(char)

    def end(self) -> None:
        """The reply is over: what is still open is counted."""
        self._strays_end()
        if self._open:
            self._give_up()

    def _inside(self, char: str) -> dict[str, object] | None:
        if self._in_string and char == "\n":  # no JSON string holds one: the line broke off
            self._give_up()
            return None
        if char == "{" and not self._in_string:  # ours are flat: a new one begins
            self._give_up()
        self._open.append(char)
        self._follow_string(char)
        if char == "}" and not self._in_string:
            return self._complete()
        if len(self._open) > LONGEST_OBJECT:
            self._give_up()
        return None

    def _follow_string(self, char: str) -> None:
        if self._escaped:
            self._escaped = False
        elif char == "\\":
            self._escaped = self._in_string
        elif char == '"':
            self._in_string = not self._in_string

    def _complete(self) -> dict[str, object] | None:
        text = "".join(self._open)
        self._reset()
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError:
            self.malformed += 1
            return None
        return found if isinstance(found, dict) else None

    def _outside(self, char: str) -> None:
        if char == "\n":
            self._strays_end()
        elif not char.isspace() and char not in _HARMLESS:
            self._stray.append(char)

    def _strays_end(self) -> None:
        """A line outside any object; the word behind an opening fence is no fault."""
        if self._stray and "".join(self._stray) != "json":
            self.malformed += 1
        self._stray.clear()

    def _give_up(self) -> None:
        self.malformed += 1
        self._reset()

    def _reset(self) -> None:
        self._open.clear()
        self._in_string = self._escaped = False
