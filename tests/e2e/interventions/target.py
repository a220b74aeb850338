"""Receivers that are never killed, and fail now and then: they count what reached them, by
delivery.

    python -m tests.e2e.interventions.target   prints `SMTP_PORT HTTP_PORT`

Mail is counted by its Message-ID, a text message by its id, each time. Every so often nobody is let
in, or what was taken is not answered. `GET /messages/{id}` says whether a text came; what they took
is read by `GET /taken`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter

from aiosmtpd.smtp import SMTP, Envelope, Session

SHUT = frozenset({3, 4, 5})
MUTE = 8
TURN = 11
"""Of so many calls these find nobody there, and this one gets no answer."""


class Receivers:
    """`mails` and `texts` are effects, `asked` questions what became of a text."""

    def __init__(self) -> None:
        self.mails: Counter[str] = Counter()
        self.texts: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self._calls = {"mail": 0, "text": 0}

    def _turn(self, kind: str) -> int:
        self._calls[kind] += 1
        return self._calls[kind] % TURN

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, host: str, said: list[str]
    ) -> list[str]:
        session.host_name = host
        return said if self._turn("mail") not in SHUT else ["421 4.3.2 going down"]

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        lines = envelope.content.decode("utf-8", "replace").split("\r\n")
        named = next(line for line in lines if line.lower().startswith("message-id:"))
        self.mails[named.partition("<")[2].partition("@")[0]] += 1
        if self._calls["mail"] % TURN == MUTE:
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        return "250 ok"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head)}
            await reader.readexactly(int(headers.get("content-length", 0)))
            answer = self._answer(head[0].split()[1], headers.get("idempotency-key"))
            if answer is not None:
                body = json.dumps(answer[1]).encode()
                writer.write(
                    f"HTTP/1.1 {answer[0]} x\r\nContent-Length: {len(body)}\r\n"
                    "Connection: close\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # its sender was killed
        finally:
            writer.close()

    def _answer(self, path: str, key: str | None) -> tuple[int, object] | None:
        if key is not None:
            return self._taken(key)
        if path == "/taken":
            return 200, {"mails": self.mails, "texts": self.texts, "asked": self.asked}
        name = path.rpartition("/")[2]
        self.asked[name] += 1
        return (200, {"id": f"p-{name}", "status": "sent"}) if name in self.texts else (404, {})

    def _taken(self, key: str) -> tuple[int, object] | None:
        turn = self._turn("text")
        if turn in SHUT:
            return 503, {}
        self.texts[key] += 1
        return None if turn == MUTE else (200, {"id": f"p-{key}"})


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
