"""what was said -> values of one argument; one kind of value a file."""

from collections.abc import Mapping

from agent.acting.values.base import Extractor, Search
from agent.acting.values.booleans import Booleans
from agent.acting.values.choices import ChoicesNamed
from agent.acting.values.durations import Durations
from agent.acting.values.enums import Enums
from agent.acting.values.links import Certificates, Domains, Hosts, Links
from agent.acting.values.numbers import Numbers
from agent.acting.values.texts import Ids, Names, Texts
from agent.acting.values.times import Dates, Moments, TimesOfDay, Timezones
from agent.acting.values.tokens import Emails, Secrets
from agent.acting.wanted import Kind

EXTRACTORS: Mapping[Kind, Extractor] = {
    Kind.EMAIL: Emails(),
    Kind.SECRET: Secrets(),
    Kind.PEM: Certificates(),
    Kind.URL: Links(),
    Kind.HOST: Hosts(),
    Kind.DOMAIN: Domains(),
    Kind.ID: Ids(),
    Kind.CHOICE: ChoicesNamed(),
    Kind.ENUM: Enums(),
    Kind.DATETIME: Moments(),
    Kind.DATE: Dates(),
    Kind.TIME: TimesOfDay(),
    Kind.TIMEZONE: Timezones(),
    Kind.DURATION: Durations(),
    Kind.NUMBER: Numbers(),
    Kind.BOOLEAN: Booleans(),
    Kind.NAME: Names(),
    Kind.TEXT: Texts(),
}
"""In the order in which they may take from the text: the most particular first."""

__all__ = ["EXTRACTORS", "Extractor", "Search"]
