"""What no classifier may see: refused by name, and by the tag of the field that a cue is read from.

Locale and region choose content and are kept apart, to watch fairness; nothing is made of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from onboarding.events import EventCatalogue
from onboarding.profile.catalogue import CueRule, EvidenceSpec
from onboarding.profile.errors import SensitiveFieldError
from onboarding.profile.evidence import PAGE

NEVER = (
    *("race", "racial", "ethnic", "ethnicity", "political", "party", "religion", "religious"),
    *("belief", "philosophical", "union", "genetic", "biometric", "health", "diagnosis"),
    *("orientation", "sexuality", "gender", "sex", "pronoun", "age", "birth", "birthday"),
    *("birthdate", "disability", "disabled", "name", "firstname", "lastname", "surname", "photo"),
    *("avatar", "picture", "latitude", "longitude", "geo", "city", "postcode", "zip", "address"),
    *("street", "mood", "sentiment", "emotion", "country", "nationality", "region", "locale"),
    *("language", "timezone", "ip", "phone", "email"),
)
"""Words of a field's name: GDPR Article 9, and section 4 of the onboarding reference."""
HARMLESS = frozenset({"email_domain", "domain_class", "context.campaign.name"})
"""Names of fields that hold such a word and say nothing of the kind."""
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def check_sensitive(spec: EvidenceSpec, events: EventCatalogue | None = None) -> None:
    """Raises SensitiveFieldError, with every cue that is read from what it may not see."""
    problems = list(_problems(spec, events))
    if problems:
        raise SensitiveFieldError(problems)


def is_barred(field: str) -> bool:
    """By name alone; `page` events are an exception that `check_sensitive` knows."""
    words = {word.lower() for word in _WORDS.findall(field)}
    return field not in HARMLESS and not words.isdisjoint(NEVER)


def _problems(spec: EvidenceSpec, events: EventCatalogue | None) -> Iterable[str]:
    for at, rule in enumerate(spec.cues):
        where = f"cues.{at}.{rule.cue}"
        if rule.feature is not None and is_barred(rule.feature):
            yield f"{where}: no model may see the feature {rule.feature}"
        if rule.field is None:
            continue
        if is_barred(rule.field) and not _names_a_page(rule):
            yield f"{where}: no model may see {rule.field} of {rule.event}"
        elif events is not None and _is_tagged(rule, events):
            yield f"{where}: {rule.field} of {rule.event} is tagged sensitive; take the cue out"


def _names_a_page(rule: CueRule) -> bool:
    return (rule.event, rule.field) == (PAGE, "name")


def _is_tagged(rule: CueRule, events: EventCatalogue) -> bool:
    field = events.field(rule.event or "", rule.field or "")
    return field is not None and field.sensitive
