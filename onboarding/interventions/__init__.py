"""event -> Friction -> Message -> [governor, at send time] -> Delivery -> outcome."""

from onboarding.interventions.channel import (
    ChannelAdapter,
    Contact,
    Contacts,
    Standings,
    StandingUnavailableError,
)
from onboarding.interventions.choices import Choice, Wish
from onboarding.interventions.detecting import Detectors, Watch
from onboarding.interventions.effectiveness import Effect, to_retire, uplift
from onboarding.interventions.fixes import Intervention
from onboarding.interventions.governor import House, decide
from onboarding.interventions.links import Links
from onboarding.interventions.patterns import Looks
from onboarding.interventions.signals import Signal, SignalKind, Signals
from onboarding.interventions.templating import Templates
from onboarding.interventions.types import (
    Cap,
    Channel,
    Delivery,
    Klass,
    Message,
    OnCap,
    Quiet,
    Reason,
    Scope,
    Silence,
    Standing,
    State,
    Value,
    Window,
)

__all__ = [
    "Cap",
    "Channel",
    "ChannelAdapter",
    "Choice",
    "Contact",
    "Contacts",
    "Delivery",
    "Detectors",
    "Effect",
    "House",
    "Intervention",
    "Klass",
    "Links",
    "Looks",
    "Message",
    "OnCap",
    "Quiet",
    "Reason",
    "Scope",
    "Signal",
    "SignalKind",
    "Signals",
    "Silence",
    "Standing",
    "StandingUnavailableError",
    "Standings",
    "State",
    "Templates",
    "Value",
    "Watch",
    "Window",
    "Wish",
    "decide",
    "to_retire",
    "uplift",
]
