"""MCP server -> reviewed tools -> calls. Import it only where a source is one: the SDK is heavy."""

from tools.mcp.backend import McpBackend, open_mcp, session_of
from tools.mcp.session import McpError

__all__ = ["McpBackend", "McpError", "open_mcp", "session_of"]
