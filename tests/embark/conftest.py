from __future__ import annotations

from tests.embark.project import indexed, project

__all__ = ["indexed", "project"]
