"""policy file -> entries with lines; templates that move values from one call to another."""

from tools.policy.loading import PolicyError, PolicyFile, load_policy
from tools.policy.types import McpSource, OpenApiSource, Policy, ToolEntry

__all__ = [
    "McpSource",
    "OpenApiSource",
    "Policy",
    "PolicyError",
    "PolicyFile",
    "ToolEntry",
    "load_policy",
]
