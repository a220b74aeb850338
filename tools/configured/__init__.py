"""policy entry + backend -> tool: what OpenAPI and MCP have in common."""

from tools.configured.backend import (
    Backend,
    FieldShape,
    OperationError,
    Reply,
    Sending,
    Shape,
    StatusError,
)
from tools.configured.building import Problem, configured_tools
from tools.configured.tool import ConfiguredTool

__all__ = [
    "Backend",
    "ConfiguredTool",
    "FieldShape",
    "OperationError",
    "Problem",
    "Reply",
    "Sending",
    "Shape",
    "StatusError",
    "configured_tools",
]
