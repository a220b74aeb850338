"""Whether what a formula measures is there: classes, fields, windows."""

from __future__ import annotations

from onboarding.events import EventCatalogue
from onboarding.features.classes import Classes
from onboarding.features.formulas import FormulaError, Measured, Term, measured_of
from onboarding.features.measures import ACCOUNT, EVENT, LONGEST, MEASURES, USER, Kind
from onboarding.rules import did_you_mean


def check_measures(
    term: Term, classes: Classes, catalogue: EventCatalogue, *, is_category: bool
) -> None:
    """Raises FormulaError."""
    if is_category and not (isinstance(term, Measured) and term.measure == "latest"):
        raise FormulaError("a category is latest(class, field) and nothing else", 0)
    for each in measured_of(term):
        _shape(each)
        for name in _classes_of(each):
            _class(each, name, classes)
        _field(each, classes, catalogue)


def events_of(each: Measured, classes: Classes) -> frozenset[str] | None:
    """Those that a measure is of; None are all."""
    name = each.names[0].removeprefix(ACCOUNT)
    if MEASURES[each.measure].kind is Kind.PAIRS:
        return frozenset(error for error, _ in classes.pairs[name])
    return classes.sets[name]


def field_name(each: Measured) -> str:
    """Empty where the measure is of no field."""
    need = MEASURES[each.measure]
    if need.kind is Kind.DELAYS:
        return each.names[2]
    return each.names[1] if need.names > 1 else ""


def _shape(each: Measured) -> None:
    need = MEASURES[each.measure]
    if len(each.names) != need.names:
        told = f"{each.measure}() takes {need.names} names, not {len(each.names)}"
        raise FormulaError(told, each.at)
    if need.window != (each.window is not None):
        takes = "a window, such as 7d" if need.window else "no window"
        raise FormulaError(f"{each.measure}() takes {takes}", each.at)
    if each.window is not None and not 1 <= each.window.minutes <= LONGEST:
        raise FormulaError(f"a window is at most 28d, not {each.window.text}", each.at)
    if each.measure in {"days", "sessions"} and each.window and each.window.minutes % 1440:
        raise FormulaError(f"{each.measure}() takes a window of days", each.at)


def _classes_of(each: Measured) -> tuple[str, ...]:
    count = 2 if MEASURES[each.measure].kind is Kind.DELAYS else 1
    return each.names[:count]


def _class(each: Measured, name: str, classes: Classes) -> None:
    plain = name.removeprefix(ACCOUNT)
    pairs = MEASURES[each.measure].kind is Kind.PAIRS
    known = classes.pairs if pairs else classes.sets
    if plain not in known:
        what = "pairs" if pairs else "class"
        raise FormulaError(f"there is no {what} {plain!r}{did_you_mean(plain, known)}", each.at)


def _field(each: Measured, classes: Classes, catalogue: EventCatalogue) -> None:
    """Of a class without events any field will do: the host has not said yet what is in it."""
    name = field_name(each)
    if not name or name in {USER, EVENT}:
        return
    events = events_of(each, classes)
    names = catalogue.names if events is None else sorted(events)
    specs = [spec for event in names if (spec := catalogue.field(event, name)) is not None]
    if names and not specs:
        known = {field for event in names for field in catalogue.tags(event)}
        raise FormulaError(
            f"no event of it has a field {name!r}{did_you_mean(name, known)}", each.at
        )
    if any(spec.sensitive for spec in specs):
        raise FormulaError(f"{name!r} is sensitive: no feature is made of it", each.at)
