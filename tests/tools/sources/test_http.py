"""The outbound client: what it reaches, what it refuses, and what it knows of a lost request."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx2
import pytest
from typing_extensions import override

from tools.http import (
    LARGEST_REPLY,
    Incoming,
    Outbound,
    OutboundError,
    Outgoing,
    Reach,
    is_inside,
    is_public,
)

PUBLIC = "93.184.216.34"
_INSIDE = """
127.0.0.1 127.1.2.3 0.0.0.0 10.0.0.1 10.255.255.255 172.16.0.1 172.31.9.9 192.168.1.1
169.254.169.254 100.64.0.1 192.0.0.1 192.0.2.7 198.18.0.1 198.51.100.7 203.0.113.9 224.0.0.1
239.255.255.250 240.0.0.1 255.255.255.255 ::1 :: fe80::1 fe80::1%eth0 fc00::1 fd12:3456::1 ff02::1
2001:db8::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:a9fe:a9fe 64:ff9b::7f00:1 64:ff9b::10.0.0.1
2002:7f00:1:: 2002:a00:1:: 2001:0:53aa:64c:0:0:80ff:fffe 100::1 ::ffff:0:127.0.0.1 fec0::1
"""
INSIDE = _INSIDE.split()
NO_ADDRESS = [
    "",
    "localhost",
    "0x7f.1",
    "0177.0.0.1",
    "2130706433",
    "127.1",
    "1.2.3",
    "%00",
    "[::1]",
]


@pytest.mark.parametrize("address", [*INSIDE, *NO_ADDRESS])
def test_what_is_inside_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", [PUBLIC, "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_the_open_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "8.8.8.8", "x"])
def test_metadata_services_are_never_inside(address: str) -> None:
    assert not is_inside(address)


class Names:
    """A resolver whose answers change, as an attacker's would."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


class Wire(httpx2.AsyncBaseTransport):
    """Where requests would go: kept with the address and the TLS name."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        sni = request.extensions["sni_hostname"]
        self.seen.append((request.url.host, request.headers["host"], sni))
        return httpx2.Response(200, content=b"{}")


async def get(
    url: str, names: Names, reach: Reach | None = None, wire: Wire | None = None
) -> Incoming:
    allowed = reach or Reach(frozenset({"api.example.com"}))
    async with Outbound(allowed, resolver=names, pool=lambda: wire or Wire()) as client:
        return await client.send(Outgoing("GET", url, {}))


async def refused(url: str, names: Names, reach: Reach | None = None) -> str:
    wire = Wire()
    with pytest.raises(OutboundError) as failure:
        await get(url, names, reach, wire)
    assert wire.seen == []
    assert not failure.value.sent
    return failure.value.code


@pytest.mark.parametrize("address", INSIDE)
async def test_a_name_that_points_inside_is_refused(address: str) -> None:
    assert await refused("https://api.example.com/x", Names([address])) == "host_refused"


@pytest.mark.parametrize("address", INSIDE)
async def test_one_inside_address_among_public_ones_is_enough(address: str) -> None:
    names = Names([PUBLIC, address])
    assert await refused("https://api.example.com/x", names) == "host_refused"


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example.com/",
        "http://api.example.com/",
        "https://api.example.com:8443/",
        "https://api.example.com.evil.example/",
        "https://api.example.com@evil.example/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://2130706433/",
        "https://0x7f000001/",
        "ftp://api.example.com/",
    ],
)
async def test_only_listed_hosts_by_https_on_their_port(url: str) -> None:
    assert await refused(url, Names([PUBLIC])) in ("host_refused", "unreachable")


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    names, wire = Names([PUBLIC], ["127.0.0.1"]), Wire()
    await get("https://api.example.com/x", names, wire=wire)
    assert wire.seen == [(PUBLIC, "api.example.com", "api.example.com")]
    assert names.asked == 1  # a second look could have another answer


async def test_a_host_has_one_pool_however_often_it_is_asked() -> None:
    made: list[Wire] = []

    def pool() -> Wire:
        made.append(Wire())
        return made[-1]

    reach = Reach(frozenset({"api.example.com", "eu.example.com"}))
    async with Outbound(reach, resolver=Names([PUBLIC]), pool=pool) as client:
        for host in ("api", "eu", "api", "api"):
            await client.send(Outgoing("GET", f"https://{host}.example.com/", {}))
    assert [len(wire.seen) for wire in made] == [3, 1]


class SettingWire(Wire):
    """Sets a cookie with every answer, and keeps those that come back."""

    def __init__(self) -> None:
        super().__init__()
        self.cookies: list[str | None] = []

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.cookies.append(request.headers.get("cookie"))
        token = request.headers["authorization"].removeprefix("Bearer ")
        return httpx2.Response(200, headers={"set-cookie": f"session={token}"}, content=b"{}")


async def test_a_cookie_that_the_host_sets_for_one_person_is_sent_for_nobody() -> None:
    wire = SettingWire()
    reach = Reach(frozenset({"api.example.com"}))
    async with Outbound(reach, resolver=Names([PUBLIC]), pool=lambda: wire) as client:
        for token in ("ana", "bo"):
            bearer = {"authorization": f"Bearer {token}"}
            await client.send(Outgoing("GET", "https://api.example.com/", bearer))
    assert wire.cookies == [None, None]


async def test_rebinding_between_requests_is_refused() -> None:
    names, wire = Names([PUBLIC], ["127.0.0.1"]), Wire()
    reach = Reach(frozenset({"api.example.com"}))
    async with Outbound(reach, resolver=names, pool=lambda: wire) as client:
        await client.send(Outgoing("GET", "https://api.example.com/", {}))
        with pytest.raises(OutboundError, match="host_refused"):
            await client.send(Outgoing("GET", "https://api.example.com/", {}))
    assert len(wire.seen) == 1


async def test_inside_only_where_it_is_listed_with_its_port() -> None:
    reach = Reach(frozenset({"127.0.0.1"}), frozenset({"127.0.0.1:8420"}))
    names = Names(["127.0.0.1"])
    assert (await get("http://127.0.0.1:8420/", names, reach)).status == 200
    assert await refused("http://127.0.0.1:8421/", names, reach) == "host_refused"
    assert await refused("https://127.0.0.1/", names, reach) == "host_refused"
    # and a name listed as inside does not lead elsewhere
    assert await refused("http://127.0.0.1:8420/", Names([PUBLIC]), reach) == "host_refused"


@asynccontextmanager
async def server(answer: bytes, *, linger: bool = False) -> AsyncIterator[str]:
    """Says this to every request, then closes; with `linger` it never does."""

    done = asyncio.Event()
    ended: list[asyncio.Event] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(asyncio.Event())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            if linger:
                await done.wait()
            writer.close()
            await writer.wait_closed()
        ended[-1].set()

    running = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = running.sockets[0].getsockname()[1]
    try:
        yield f"127.0.0.1:{port}"
    finally:
        done.set()
        running.close()
        for each in ended:
            await each.wait()


async def ask(place: str, timeout_s: float = 2.0) -> Incoming:
    async with Outbound(Reach(frozenset(), frozenset({place}))) as client:
        return await client.send(Outgoing("POST", f"http://{place}/", {}, b"{}", timeout_s))


async def lost(place: str, timeout_s: float = 2.0) -> tuple[str, bool]:
    with pytest.raises(OutboundError) as failure:
        await ask(place, timeout_s)
    return failure.value.code, failure.value.sent


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
    async with server(moved) as place:
        assert (await ask(place)).status == 302


async def test_nobody_listens_means_not_sent() -> None:
    async with server(b"") as place:
        pass
    assert await lost(place) == ("unreachable", False)


async def test_a_dropped_connection_may_have_been_read() -> None:
    async with server(b"") as place:
        assert await lost(place) == ("unreachable", True)


async def test_silence_may_be_an_effect() -> None:
    async with server(b"", linger=True) as place:
        assert await lost(place, 0.2) == ("timeout", True)


async def test_a_slow_answer_ends_in_time() -> None:
    """The limit covers the whole answer, not the pause between two bytes."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
    async with server(head, linger=True) as place:
        assert await lost(place, 0.2) == ("timeout", True)


@pytest.mark.parametrize("extra", [0, 1])
async def test_an_answer_is_capped(extra: int) -> None:
    size = LARGEST_REPLY + extra
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()
    async with server(head + b"x" * size) as place:
        if extra:
            assert await lost(place) == ("reply_too_large", True)
        else:
            assert len((await ask(place)).body) == size


async def test_a_packed_answer_is_capped_unpacked() -> None:
    packed = gzip.compress(b"0" * 20_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    async with server(head.encode() + packed) as place:
        assert await lost(place) == ("reply_too_large", True)
