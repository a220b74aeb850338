"""files -> Catalogue -> compose -> Enrolment (the version a person keeps) -> track -> Progress.

`onboarding.journeys.lint` says what is wrong in files before anybody begins them.
"""

from onboarding.journeys.catalogue import (
    FOLDERS,
    Catalogue,
    Defined,
    FileKind,
    Source,
    defined,
    load_folder,
    load_sources,
)
from onboarding.journeys.cohorts import (
    Cohort,
    Completion,
    OfCohort,
    Outlook,
    Way,
    cohort_of,
    outlook,
)
from onboarding.journeys.composing import (
    Choice,
    Composed,
    compose,
    fact_of,
    in_audience,
    open_plays,
    pinned,
)
from onboarding.journeys.enrolment import (
    Done,
    Enrolment,
    MigrationError,
    Moved,
    joined,
    merged,
    migrate,
    renamed,
    unaccounted,
)
from onboarding.journeys.format import ExperimentEntry, Goal, Journey, Leave, Step, Texts
from onboarding.journeys.guides import (
    Guide,
    GuideKind,
    Guides,
    ShownGuide,
    guide_for,
    said,
    shown_guide,
)
from onboarding.journeys.kits import Editable, EditError, Edits, Item, Kit, arguments, made
from onboarding.journeys.modes import mode_for
from onboarding.journeys.pacing import CapEntry, Caps, CapWindow, EntryRule, QuietEntry, Via
from onboarding.journeys.previewing import Changed, Flow, Preview, changes, preview
from onboarding.journeys.schema import SCHEMAS, schema
from onboarding.journeys.sending import Sending, due_sends
from onboarding.journeys.since import Since
from onboarding.journeys.states import StateEntry, States, read_states
from onboarding.journeys.tracking import Tracked, track

__all__ = [
    "FOLDERS",
    "SCHEMAS",
    "CapEntry",
    "CapWindow",
    "Caps",
    "Catalogue",
    "Changed",
    "Choice",
    "Cohort",
    "Completion",
    "Composed",
    "Defined",
    "Done",
    "EditError",
    "Editable",
    "Edits",
    "Enrolment",
    "EntryRule",
    "ExperimentEntry",
    "FileKind",
    "Flow",
    "Goal",
    "Guide",
    "GuideKind",
    "Guides",
    "Item",
    "Journey",
    "Kit",
    "Leave",
    "MigrationError",
    "Moved",
    "OfCohort",
    "Outlook",
    "Preview",
    "QuietEntry",
    "Sending",
    "ShownGuide",
    "Since",
    "Source",
    "StateEntry",
    "States",
    "Step",
    "Texts",
    "Tracked",
    "Via",
    "Way",
    "arguments",
    "changes",
    "cohort_of",
    "compose",
    "defined",
    "due_sends",
    "fact_of",
    "guide_for",
    "in_audience",
    "joined",
    "load_folder",
    "load_sources",
    "made",
    "merged",
    "migrate",
    "mode_for",
    "open_plays",
    "outlook",
    "pinned",
    "preview",
    "read_states",
    "renamed",
    "said",
    "schema",
    "shown_guide",
    "track",
    "unaccounted",
]
