"""settings -> for how many days things are kept."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from embark.layers import ConfigurationError
from embark.settings import Settings
from guardrails.decisions import Kind

YEAR_AND_A_MONTH = 395
"""So that a month can be compared with the same one a year before."""
ONBOARDING: Mapping[str, int] = MappingProxyType(
    {
        "product_events": YEAR_AND_A_MONTH,
        "event_quarantine": 30,
        "features": YEAR_AND_A_MONTH,
        "profile": YEAR_AND_A_MONTH,
        "profile_graph": YEAR_AND_A_MONTH,
        "journeys": YEAR_AND_A_MONTH,
        "next_steps": YEAR_AND_A_MONTH,
        "deliveries": 180,
        "friction_watches": 30,
    }
)
"""Of who is guided; `product_events` sooner where a contract says so."""
DEFAULTS: Mapping[str, int] = MappingProxyType(
    {
        "conversations": 180,
        "run_events": 30,
        "held_values": 90,
        "journal_details": 365,
        "sessions": 1,
        "audit": 730,
        **ONBOARDING,
        **{f"decisions.{kind.value}": YEAR_AND_A_MONTH for kind in Kind},
    }
)


def periods_of(settings: Settings) -> dict[str, int]:
    """Days by name. Raises ConfigurationError that lists what has to be said: whoever serves others
    from a PostgreSQL server decides for how long, nothing is kept by omission."""
    chosen = settings.retention
    said = {name: getattr(chosen, name, None) for name in DEFAULTS if "." not in name}
    of_kinds = {f"decisions.{kind.value}": getattr(chosen.decisions, kind.value) for kind in Kind}
    given = {name: days for name, days in {**said, **of_kinds}.items() if days is not None}
    guides = settings.onboarding.folder is not None
    needed = [name for name in DEFAULTS if guides or name not in ONBOARDING]
    missing = [name for name in needed if name not in given]
    if missing and is_production(settings):
        raise ConfigurationError(
            [
                f"retention.{name} is needed with PostgreSQL: for how many days, "
                f"such as retention.{name} = {DEFAULTS[name]}"
                for name in missing
            ]
        )
    return {name: given.get(name, days) for name, days in DEFAULTS.items()}


def is_production(settings: Settings) -> bool:
    """Whether a database server is used, as whoever serves others does."""
    urls = (settings.database.url, settings.actions.url, settings.onboarding.url)
    return any(url is not None and url.get_secret_value().startswith("postgres") for url in urls)
