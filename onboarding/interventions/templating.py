"""Template files -> [lint] -> the text of one message in one person's language.

Placeholders are typed; what fills them is shortened, freed of control characters, and escaped in
HTML. A file holds every language of its template, so that a missing one shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from html import escape
from pathlib import Path
from string import Formatter
from typing import Final
from urllib.parse import urljoin

from pydantic import BaseModel, ConfigDict, Field

from onboarding.interventions.channel import Text
from onboarding.interventions.types import Value
from onboarding.interventions.zones import zone_of
from onboarding.rules import DataFile, DataFileError, Problem, did_you_mean, read_data

LOCALES: Final = ("en", "de")
"""Every template speaks these; the first one to whom no other is known."""
FOLDER: Final = Path(__file__).parent / "templates"
LONGEST: Final = 200
"""Characters of a value: it is a name or a title, no text of its own."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Type(StrEnum):
    """What a placeholder takes. `time` is ISO 8601 and shown in the person's zone; `lines` are
    joined by newlines."""

    TEXT = "text"
    NUMBER = "number"
    TIME = "time"
    LINES = "lines"


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    subject: str = Field(min_length=1, max_length=150)
    body: str = Field(min_length=1, max_length=2000)
    button: str = Field(default="", max_length=60)


class _Layout(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    unsubscribe: str = Field(min_length=1)
    why: str = Field(min_length=1)


class _Template(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    template: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    placeholders: dict[str, Type] = Field(default_factory=dict)
    link: str = Field(default="", pattern=r"^(/[^\s]*)?$")
    texts: dict[str, _Words]


class _LayoutFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    layout: dict[str, _Layout]


class TemplateError(ValueError):
    """A template that is not there, or values that do not fit it."""


@dataclass(frozen=True, slots=True)
class Looks:
    """Where links lead, and for whom a message is made."""

    base_url: str
    sender: str = ""
    locale: str = "en"
    zone: str | None = None
    unsubscribe: str | None = None


class Templates:
    """All of some folders; a later one's template takes the place of an earlier one's."""

    def __init__(self, templates: Mapping[str, _Template], layout: Mapping[str, _Layout]) -> None:
        self._templates = templates
        self._layout = layout

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._templates))

    def placeholders(self, name: str) -> frozenset[str]:
        """What has to be filled in. Raises KeyError for what is no template."""
        return frozenset(self._templates[name].placeholders)

    def misfits(self, name: str, values: frozenset[str]) -> tuple[str, ...]:
        """What is wrong with filling a template with these; nothing when nothing is."""
        if name not in self._templates:
            return (f"there is no template {name}{did_you_mean(name, self.names)}",)
        wanted = self.placeholders(name)
        missing = (f"{name} has no value for {each}" for each in sorted(wanted - values))
        unknown = (
            f"{name} has no placeholder {each}{did_you_mean(each, wanted)}"
            for each in sorted(values - wanted)
        )
        return (*missing, *unknown)

    @classmethod
    def load(cls, folders: Sequence[Path] = (FOLDER,)) -> Templates:
        """Raises DataFileError with every mistake in every file."""
        mistakes: list[str] = []
        found: dict[str, _Template] = {}
        layout: dict[str, _Layout] = {}
        for path in _files(folders):
            try:
                file = read_data(path)
                if path.stem == "_layout":
                    layout = file.parse(_LayoutFile).layout
                else:
                    made = _checked(file)
                    found[made.template] = made
            except DataFileError as error:
                mistakes += error.problems
        if mistakes:
            raise DataFileError(mistakes)
        return cls(found, layout)

    def fill(self, name: str, values: Mapping[str, Value], looks: Looks) -> Text:
        """Raises TemplateError."""
        template = self._templates.get(name)
        if template is None:
            raise TemplateError(f"there is no template {name}{did_you_mean(name, self.names)}")
        locale = spoken(looks.locale, template.texts)
        words = template.texts[locale]
        shown = _shown(template, values, locale, looks.zone)
        link = urljoin(looks.base_url, template.link) if template.link else ""
        subject = _one_line(_filled(words.subject, shown))
        body = _filled(words.body, shown)
        layout = self._layout.get(locale)
        page = _html(words, shown, link, layout, looks) if layout else None
        return Text(subject, body, page, link, _way_out(layout, looks))


def spoken(wanted: str, there: Iterable[str]) -> str:
    """The nearest of the languages that are there: itself, its language, the first of LOCALES."""
    known = {name.lower(): name for name in there}
    tag = wanted.replace("_", "-").lower()
    for candidate in (tag, tag.partition("-")[0], *LOCALES):
        if candidate in known:
            return known[candidate]
    return next(iter(known.values()))


def _files(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(folder.glob("*.yaml"))


def _checked(file: DataFile) -> _Template:
    made = file.parse(_Template)
    problems = [*_missing(made), *_unknown(made), *_unused(made)]
    if Path(file.path).stem != made.template:
        problems.append(Problem(("template",), "name", "must be the name of the file"))
    if problems:
        raise DataFileError([file.told(problem) for problem in problems])
    return made


def _missing(made: _Template) -> Iterator[Problem]:
    for locale in LOCALES:
        if locale not in made.texts:
            message = f"missing translation: there is no {locale}"
            yield Problem(("texts",), "missing_translation", message)
    buttons = {bool(words.button) for words in made.texts.values()}
    if len(buttons) > 1 or (True in buttons) != bool(made.link):
        message = "a button stands in every language, with a link, or in none"
        yield Problem(("texts",), "missing_translation", message)


def _unknown(made: _Template) -> Iterator[Problem]:
    for locale, words in made.texts.items():
        for part in ("subject", "body", "button"):
            yield from _faulty(made, (locale, part), getattr(words, part))


def _faulty(made: _Template, where: tuple[str, str], text: str) -> Iterator[Problem]:
    place = ("texts", *where)
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        yield Problem(place, "braces", f"{error}; a brace by itself is doubled")
        return
    for _, name, form, turned in parts:
        if name is None:
            continue
        if form or turned:
            yield Problem(place, "format", f"{{{name}}} takes no format: its type shows it")
        elif name not in made.placeholders:
            hint = did_you_mean(name, made.placeholders)
            yield Problem(place, "unknown_placeholder", f"unknown placeholder {name}{hint}")


def _unused(made: _Template) -> Iterator[Problem]:
    for name in made.placeholders:
        for locale, words in made.texts.items():
            if f"{{{name}}}" not in f"{words.subject} {words.body} {words.button}":
                message = f"placeholder {name} is not used in {locale}"
                yield Problem(("placeholders", name), "unused_placeholder", message)


def _shown(
    template: _Template, values: Mapping[str, Value], locale: str, zone: str | None
) -> dict[str, str]:
    missing = sorted(template.placeholders.keys() - values.keys())
    if missing:
        raise TemplateError(f"{template.template} has no value for {', '.join(missing)}")
    types = template.placeholders.items()
    try:
        return {name: _written(values[name], kind, locale, zone) for name, kind in types}
    except ValueError as error:
        raise TemplateError(f"a value of {template.template} has the wrong type") from error


def _written(value: Value, kind: Type, locale: str, zone: str | None) -> str:
    match kind:
        case Type.TEXT:
            return _one_line(str(value))
        case Type.LINES:
            return "\n".join(_one_line(line) for line in str(value).split("\n"))
        case Type.NUMBER:
            return _number(float(value), locale)
        case Type.TIME:
            return _time(datetime.fromisoformat(str(value)), locale, zone)


def _number(value: float, locale: str) -> str:
    text = f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
    if locale.startswith("de"):
        return text.translate(str.maketrans(",.", ".,"))
    return text


def _time(at: datetime, locale: str, zone: str | None) -> str:
    """With its zone, so that it cannot be read as another."""
    local = at.astimezone(zone_of(zone) or zone_of("UTC"))
    form = "%d.%m.%Y, %H:%M Uhr (%Z)" if locale.startswith("de") else "%Y-%m-%d %H:%M (%Z)"
    return local.strftime(form)


def _one_line(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()[:LONGEST]


def _filled(text: str, shown: Mapping[str, str]) -> str:
    return text.format_map(shown).strip()


def _way_out(layout: _Layout | None, looks: Looks) -> str:
    if layout is None or looks.unsubscribe is None:
        return ""
    why = layout.why.format_map({"sender": looks.sender})
    return f"{why}\n{layout.unsubscribe}: {looks.unsubscribe}"


def _html(words: _Words, shown: Mapping[str, str], link: str, layout: _Layout, looks: Looks) -> str:
    """No picture, no script, nothing that is loaded: opening it tells nobody."""
    safe = {name: escape(value) for name, value in shown.items()}
    paragraphs = _filled(_escaped(words.body), safe).split("\n\n")
    body = "".join(f"<p>{each.strip().replace(chr(10), '<br>')}</p>" for each in paragraphs)
    button = _filled(_escaped(words.button), safe)
    linked = f'<p><a href="{escape(link)}">{button}</a></p>' if link else ""
    return (
        '<!doctype html><html><head><meta charset="utf-8"></head>'
        '<body style="font-family:sans-serif;line-height:1.5;max-width:36em;margin:2em auto">'
        f"{body}{linked}{_footer(layout, looks)}</body></html>"
    )


def _footer(layout: _Layout, looks: Looks) -> str:
    if not looks.unsubscribe:
        return ""
    why = escape(layout.why.format_map({"sender": looks.sender}))
    way_out = f'<a href="{escape(looks.unsubscribe)}">{escape(layout.unsubscribe)}</a>'
    return f'<hr><p style="color:#666;font-size:small">{why} {way_out}</p>'


def _escaped(text: str) -> str:
    return escape(text, quote=False)
