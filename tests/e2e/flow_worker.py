"""A worker of the demo's settings as a process of its own, to be killed.

python -m tests.e2e.flow_worker --harbor URL --folder FOLDER
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from agent.acting.scripted import ScriptedPlanner
from embark.acting import open_hands
from embark.records import now
from guardrails.audit.memory import MemoryAudit
from tests.e2e.floor import floor_settings
from tools.worker import tell_nobody


async def main(url: str, folder: Path) -> None:
    settings = floor_settings(url, folder)
    opening = open_hands(settings, ScriptedPlanner(), MemoryAudit(now))
    async with opening as hands, hands.at_work(tell_nobody):
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--harbor", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    chosen = parser.parse_args()
    asyncio.run(main(chosen.harbor, chosen.folder))
