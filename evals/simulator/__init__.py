"""world + seed -> people with needs that nobody sees -> visits -> cards -> what came of it.

Nothing of the product is imported here, and no product code may import this: they meet over plain
values, as a host and Embark do. Needs, skill, true effects and seeds never leave this package;
`References` alone may look at them, to say how good a policy could be.
"""

from evals.simulator.people import Offer, People, Visit
from evals.simulator.references import References
from evals.simulator.running import Happening, Result, Shows, run
from evals.simulator.worlds import WORLDS, World

__all__ = [
    "WORLDS",
    "Happening",
    "Offer",
    "People",
    "References",
    "Result",
    "Shows",
    "Visit",
    "World",
    "run",
]
