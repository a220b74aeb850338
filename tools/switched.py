"""A tool behind the kill switch: nothing goes out once its connector is killed, whoever asks."""

from __future__ import annotations

from tools.gate import Gate
from tools.journal import JournalUnavailableError
from tools.tool import NotSentError, Tool
from tools.types import Attempt, Done, Manifest, Principal, Target, ToolCall


class SwitchedTool:
    """The tool, asked only while the gate is open. Where that cannot be told it is shut."""

    def __init__(self, tool: Tool, gate: Gate) -> None:
        self._tool = tool
        self._gate = gate

    @property
    def manifest(self) -> Manifest:
        return self._tool.manifest

    async def look(self, call: ToolCall, who: Principal) -> Target:
        await self._check(who)
        return await self._tool.look(call, who)

    async def run(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done:
        await self._check(who)
        return await self._tool.run(call, who, attempt)

    async def read_back(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done | None:
        await self._check(who)
        return await self._tool.read_back(call, who, attempt)

    async def _check(self, who: Principal) -> None:
        try:
            await self._gate.check(who.tenant, self.manifest)
        except JournalUnavailableError as failure:
            raise NotSentError("switch_unknown", str(failure)) from failure
