"""Imports what processes of the tests need, in the parent that they are forked from. Nothing is
opened, and no thread begins: a fork has none."""

from __future__ import annotations

import sys
from importlib import import_module

from tests.forking import HARBOR

MODULES = (
    "pytest",  # the main module of tests, which every fork looks at
    *("embark.wiring", "embark.onboarding_parts", "embark.indexing", "embark.rights"),
    *("embark.acting", "embark.access_parts", "embark.receipts_parts", "embark.guidance"),
    *("embark.redaction_parts", "agent.acting.typed", "agent.conversations_sql"),
    *("retrieval.memory", "retrieval.folder_archive", "retrieval.versions", "retrieval.server"),
    *("embark.cli.index", "embark.cli.serve", "embark.cli.subjects", "embark.cli.receipts"),
    *("embark.cli.journeys", "embark.cli.events", "uvicorn.lifespan.on"),
    *("harbor.app", "harbor.seed"),
)
sys.path.insert(0, str(HARBOR))
for name in MODULES:
    import_module(name)
import_module("onboarding.engine.files").load_files(HARBOR / "onboarding")
"""Its files are parsed once: forks find them parsed."""
