"""The language of features: arithmetic over measures of events, other features and given numbers.

    ln((n(core, 1d) + 1) / (n(core, 7d) / 7 + 1))

    term    := number | measure | function(terms) | name of a feature | -term | (term)
    measure := name(class [, field] [, window])     windows: 10m, 24h, 7d

A formula is parsed and checked once. It is worked out with Python's numbers for one person, with
numpy's for many; nothing else can be said in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<window>\d+(?:m|h|d)\b)|(?P<number>\d+(?:\.\d+)?|\.\d+)"
    r"|(?P<name>[A-Za-z_$][\w.$]*)|(?P<sign>[-+*/(),]))"
)
_MINUTES: Final = {"m": 1, "h": 60, "d": 1440}
ARITIES: Final = {
    "ln": (1, 1), "exp": (1, 1), "sqrt": (1, 1), "abs": (1, 1), "sigmoid": (1, 1),
    "min": (2, 9), "max": (2, 9), "clip": (3, 3), "or_else": (2, 2),
}  # fmt: skip


class FormulaError(ValueError):
    """What is wrong in a formula, and where in its text, from 0."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


@dataclass(frozen=True, slots=True)
class Window:
    """A time back from now."""

    minutes: int
    text: str


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """A feature, or a number that is given with the question, by `given.`."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function of terms."""

    function: str
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """A measure of events: `names` are its class and field."""

    measure: str
    names: tuple[str, ...]
    window: Window | None
    at: int


Term = Number | Name | Call | Measured
Apply = Mapping[str, Callable[..., Any]]


def parse(text: str, measures: frozenset[str]) -> Term:
    """Raises FormulaError."""
    return _Parser(text, measures).whole()


def names_of(term: Term) -> tuple[Name, ...]:
    """Features and given numbers that it is made of."""
    match term:
        case Name():
            return (term,)
        case Call(_, terms):
            return tuple(name for each in terms for name in names_of(each))
        case _:
            return ()


def measured_of(term: Term) -> tuple[Measured, ...]:
    match term:
        case Measured():
            return (term,)
        case Call(_, terms):
            return tuple(found for each in terms for found in measured_of(each))
        case _:
            return ()


def work_out(
    term: Term, apply: Apply, named: Callable[[str], Any], measured: Callable[[Measured], Any]
) -> Any:
    """With the functions of `apply`, which has signs too."""
    match term:
        case Number(value):
            return value
        case Name(name):
            return named(name)
        case Measured():
            return measured(term)
        case Call(function, terms):
            values = [work_out(each, apply, named, measured) for each in terms]
            return apply[function](*values)


class _Parser:
    def __init__(self, text: str, measures: frozenset[str]) -> None:
        self._measures = measures
        self._tokens: list[tuple[str, str, int]] = []
        at = 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if found is None:
                raise FormulaError(f"{text[at:].strip()[:20]!r} means nothing here", at)
            kind = str(found.lastgroup)
            self._tokens.append((kind, found[kind], found.start(kind)))
            at = found.end()
        self._tokens.append(("end", "", at))
        self._place = 0

    def whole(self) -> Term:
        term = self._sum()
        kind, text, at = self._tokens[self._place]
        if kind != "end":
            raise FormulaError(f"{text!r} is too much", at)
        return term

    def _sum(self) -> Term:
        return self._row(self._product, "+-")

    def _product(self) -> Term:
        return self._row(self._term, "*/")

    def _row(self, inner: Callable[[], Term], signs: str) -> Term:
        term = inner()
        while self._is_sign(signs):
            sign = self._next()[1]
            term = Call(sign, (term, inner()))
        return term

    def _term(self) -> Term:
        kind, text, at = self._next()
        match kind:
            case "number":
                return Number(float(text))
            case "name":
                return self._named(text, at)
            case "sign" if text == "-":
                return Call("-", (Number(0.0), self._term()))
            case "sign" if text == "(":
                term = self._sum()
                self._want(")")
                return term
            case _:
                raise FormulaError(
                    f"a term is missing before {text!r}" if text else "a term is missing", at
                )

    def _named(self, name: str, at: int) -> Term:
        if not self._is_sign("("):
            return Name(name, at)
        self._next()
        if name in self._measures:
            return self._measure(name, at)
        if name not in ARITIES:
            known = ", ".join(sorted({*ARITIES, *self._measures}))
            raise FormulaError(f"there is no {name}(); known: {known}", at)
        terms = [self._sum()]
        while self._is_sign(","):
            self._next()
            terms.append(self._sum())
        self._want(")")
        least, most = ARITIES[name]
        if not least <= len(terms) <= most:
            raise FormulaError(f"{name}() takes {least} to {most} terms, not {len(terms)}", at)
        return Call(name, tuple(terms))

    def _measure(self, name: str, at: int) -> Term:
        names: list[str] = []
        window: Window | None = None
        while True:
            kind, text, place = self._next()
            if kind == "window":
                window = Window(int(text[:-1]) * _MINUTES[text[-1]], text)
            elif kind == "name" and window is None:
                names.append(text)
            else:
                raise FormulaError(f"{name}() takes a class, a field, then a window", place)
            if not self._is_sign(","):
                break
            self._next()
        self._want(")")
        return Measured(name, tuple(names), window, at)

    def _is_sign(self, signs: str) -> bool:
        kind, text, _ = self._tokens[self._place]
        return kind == "sign" and text in signs

    def _next(self) -> tuple[str, str, int]:
        token = self._tokens[self._place]
        self._place = min(self._place + 1, len(self._tokens) - 1)
        return token

    def _want(self, sign: str) -> None:
        _, text, at = self._next()
        if text != sign:
            raise FormulaError(f"{sign!r} is missing", at)
