"""`python -m harbor --data DIR`: Harbor as its own process."""

from __future__ import annotations

import argparse
import json
import socket
from pathlib import Path

import uvicorn

from harbor.app import create_app
from harbor.context import Config
from harbor.seed import seed
from harbor.store import Store


def main() -> None:
    flags = argparse.ArgumentParser("harbor")
    flags.add_argument("--data", type=Path, required=True, help="folder of the database")
    flags.add_argument("--port", type=int, default=8420, help="0 takes a free one")
    flags.add_argument("--sandbox", action="store_true", help="with fault switches and reset")
    flags.add_argument("--seed-demo", action="store_true", help="a workspace to try")
    flags.add_argument("--events-url", help="where product events go, in Segment's shape")
    flags.add_argument("--events-key", default="")
    flags.add_argument("--copilot-url", help="an onboarding copilot that the pages link to")
    given = flags.parse_args()
    given.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    listener = socket.create_server(("127.0.0.1", given.port), backlog=512)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = Config(base_url, given.sandbox, given.events_url, given.events_key,
                    copilot_url=given.copilot_url)  # fmt: skip
    file = given.data / "harbor.sqlite"
    app = create_app(file, config)
    if given.seed_demo:
        first = Store(file)
        said = seed(first, config)
        first.close()
        ready = given.data / "demo.json"
        partial = ready.with_suffix(".new")
        partial.write_text(json.dumps(said, indent=1) + "\n", "utf-8")
        partial.replace(ready)
    uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
    ).run(sockets=[listener])


main()
