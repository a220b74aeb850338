"""Receivers that are never killed: they count what reached them, by delivery.

    python -m tests.e2e.interventions.target   prints `SMTP_PORT HTTP_PORT`

Mail is counted by its Message-ID, each time; a text message is an effect once by its key. What they
took is read by `GET /taken`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter

from aiosmtpd.smtp import SMTP, Envelope, Session


class Receivers:
    """`mails` and `texts` are effects, `calls` requests for texts."""

    def __init__(self) -> None:
        self.mails: Counter[str] = Counter()
        self.texts: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        lines = envelope.content.decode("utf-8", "replace").split("\r\n")
        named = next(line for line in lines if line.lower().startswith("message-id:"))
        self.mails[named.partition("<")[2].partition("@")[0]] += 1
        return "250 ok"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head)}
            await reader.readexactly(int(headers.get("content-length", 0)))
            if head[0].startswith("GET"):
                answer: object = {"mails": self.mails, "texts": self.texts, "calls": self.calls}
            else:
                key = headers["idempotency-key"]
                self.calls[key] += 1
                self.texts[key] = 1
                answer = {"id": f"p-{key}"}
            body = json.dumps(answer).encode()
            writer.write(
                f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n"
                "Connection: close\r\n\r\n".encode()
                + body
            )
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # its sender was killed
        finally:
            writer.close()


async def main() -> None:
    kept, loop = Receivers(), asyncio.get_running_loop()
    mail = await loop.create_server(lambda: SMTP(kept, hostname="mx", loop=loop), "127.0.0.1", 0)
    web = await asyncio.start_server(kept.serve, "127.0.0.1", 0)
    ports = [server.sockets[0].getsockname()[1] for server in (mail, web)]
    sys.stdout.write(f"{ports[0]} {ports[1]}\n")
    sys.stdout.flush()
    await asyncio.gather(mail.serve_forever(), web.serve_forever())


if __name__ == "__main__":
    asyncio.run(main())
