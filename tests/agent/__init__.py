"""`agent` comes before langgraph, whatever a test imports first: it sets strict mode."""

import agent  # noqa: F401
