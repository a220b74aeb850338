"""Calling a tool: whatever it does, it answers in time or raises a ToolError."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import structlog

from tools.tool import ToolError, UncertainError

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


async def called(call: Awaitable[_T], timeout_s: float) -> _T:
    """What a tool answers. Raises ToolError only: whatever else it raises leaves it uncertain."""
    try:
        async with asyncio.timeout(timeout_s):
            return await call
    except ToolError:
        raise
    except TimeoutError as late:
        raise UncertainError("timeout", f"no answer in {timeout_s:g} s") from late
    except Exception as crash:
        _log.warning("tool_crashed", error=type(crash).__name__)
        raise UncertainError("tool_crashed", type(crash).__name__) from crash
