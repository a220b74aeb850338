"""The outbound client of every tool: it reaches the hosts it was told of, and nothing inside.

A host is resolved once; unless every address is public nothing is sent; the connection goes to the
address that was checked, under the name that was asked for. Redirects are not followed, answers
are capped. Private and loopback addresses are reached only where `host:port` is listed as such.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, NamedTuple

import httpx2
from typing_extensions import override

from guardrails.regions import WrongRegionError

LARGEST_REPLY = 1_000_000
"""Bytes of an answer (safety reference, section 8)."""
CONNECT_TIMEOUT_S = 5.0
"""Same section."""
KEEP_ALIVE_S = 2.0
"""Below the 5 s after which usual servers hang up: a connection that dies under a request leaves
its effect unknown."""
HTTPS_PORT = 443
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to addresses. Raises OSError."""


class OutboundError(Exception):
    """No usable answer came. `sent`: the request may have reached the target."""

    def __init__(self, code: str, detail: str, *, sent: bool) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.sent = sent


class HostRefusedError(httpx2.ConnectError):
    """The address may not be reached; the message says why."""


Pin = Callable[[str], None]
"""Takes a URL. Raises WrongRegionError."""


def anywhere(_url: str) -> None:
    """Where nothing is pinned."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What a client may talk to.

    `hosts`: names reached by https on port 443. `private`: `host:port` on a private or loopback
    address, plain http allowed; empty in production. `pin` is asked before each request whether it
    stays in the region.
    """

    hosts: frozenset[str]
    private: frozenset[str] = frozenset()
    pin: Pin = anywhere


class Outgoing(NamedTuple):
    """A request as it goes out; `timeout_s` covers it from the first byte to the last."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None = None
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Incoming:
    """An answer, whatever its status. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


async def resolve(host: str, port: int) -> Sequence[str]:
    """All addresses that the system knows for the host. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in found]


def is_public(address: str) -> bool:
    """Whether an address, and any address that is wrapped in it, belongs to the open internet.

    False for what is no address.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner = _wrapped(parsed)
    if inner is not None:
        return is_public(str(inner))
    local = isinstance(parsed, ipaddress.IPv6Address) and parsed.is_site_local
    return parsed.is_global and not (parsed.is_multicast or parsed.is_reserved or local)


def _wrapped(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | None:
    """The IPv4 address inside a mapped, 6to4, Teredo or NAT64 one."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour


def is_inside(address: str) -> bool:
    """Whether an address is loopback or of a private network; link-local ones, where clouds keep
    their metadata, are not."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return parsed.is_loopback or (parsed.is_private and not parsed.is_link_local)


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Connects to the address that was checked. One pool a host, so that no connection made for one
    name serves another."""

    def __init__(
        self,
        reach: Reach,
        resolver: Resolver = resolve,
        pool: Callable[[], httpx2.AsyncBaseTransport] | None = None,
    ) -> None:
        self._reach = reach
        self._resolver = resolver
        self._make_pool = pool or _pool
        self._pools: dict[str, httpx2.AsyncBaseTransport] = {}

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        self._check_region(url)
        place = f"{url.host}:{url.port or (HTTPS_PORT if url.scheme == 'https' else 80)}"
        address = await self._checked(url, place)
        extensions = {**request.extensions, "sni_hostname": url.host}
        pinned = httpx2.Request(
            request.method,
            url.copy_with(host=address),
            headers=request.headers,  # `Host` stays the name that was asked for
            stream=request.stream,
            extensions=extensions,
        )
        if place not in self._pools:  # a pool reads the trusted certificates: about 50 ms
            self._pools[place] = self._make_pool()
        return await self._pools[place].handle_async_request(pinned)

    async def _checked(self, url: httpx2.URL, place: str) -> str:
        private = place in self._reach.private
        if not private:
            self._check_name(url)
        host, _, port = place.rpartition(":")
        try:
            addresses = await self._resolver(host, int(port))
        except OSError as failure:
            raise httpx2.ConnectError(f"{host} is not found: {failure}") from failure
        if not addresses:
            raise httpx2.ConnectError(f"{host} has no address")
        fits = is_inside if private else is_public
        if not all(fits(address) for address in addresses):
            where = "private networks" if private else "the open internet"
            raise HostRefusedError(f"{host} has an address outside {where}; nothing was sent")
        return addresses[0]

    def _check_region(self, url: httpx2.URL) -> None:
        try:
            self._reach.pin(str(url))
        except WrongRegionError as refused:
            raise HostRefusedError(str(refused)) from refused

    def _check_name(self, url: httpx2.URL) -> None:
        if url.host not in self._reach.hosts:
            raise HostRefusedError(f"{url.host} is not among the hosts of this source")
        if url.scheme != "https" or (url.port or HTTPS_PORT) != HTTPS_PORT:
            raise HostRefusedError(f"{url.host} is reached by https on port {HTTPS_PORT} only")

    @override
    async def aclose(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()


def _pool() -> httpx2.AsyncBaseTransport:
    return httpx2.AsyncHTTPTransport(
        trust_env=False, limits=httpx2.Limits(max_connections=100, keepalive_expiry=KEEP_ALIVE_S)
    )


def no_cookies() -> CookieJar:
    """Keeps none: the requests of many people share a client, and a cookie would carry what the
    host set for one over to the next."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))


class Outbound:
    """Sends requests to what `reach` allows. Close it, or use it as a context manager."""

    def __init__(
        self,
        reach: Reach,
        *,
        resolver: Resolver = resolve,
        pool: Callable[[], httpx2.AsyncBaseTransport] | None = None,
    ) -> None:
        self._client = httpx2.AsyncClient(
            transport=GuardedTransport(reach, resolver, pool),
            follow_redirects=False,
            trust_env=False,
            headers={"user-agent": "embark-tools"},
            cookies=no_cookies(),
        )

    async def __aenter__(self) -> Outbound:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._client.aclose()

    async def send(self, out: Outgoing) -> Incoming:
        """The answer, of any status. Raises OutboundError when there is none or it is too large."""
        gone: list[str] = []

        async def trace(event: str, _info: Mapping[str, Any]) -> None:
            if event.endswith("send_request_headers.started"):
                gone.append(event)

        try:
            async with asyncio.timeout(out.timeout_s):
                return await self._sent(out, trace)
        except HostRefusedError as failure:
            raise OutboundError("host_refused", str(failure), sent=False) from failure
        except TimeoutError as failure:
            detail = f"no answer within {out.timeout_s:g} s"
            raise OutboundError("timeout", detail, sent=bool(gone)) from failure
        except (httpx2.HTTPError, httpx2.InvalidURL) as failure:
            code = "timeout" if isinstance(failure, httpx2.TimeoutException) else "unreachable"
            detail = str(failure) or type(failure).__name__
            raise OutboundError(code, detail, sent=bool(gone)) from failure

    async def _sent(
        self, out: Outgoing, trace: Callable[[str, Mapping[str, Any]], Awaitable[None]]
    ) -> Incoming:
        request = self._client.build_request(
            out.method,
            out.url,
            headers=dict(out.headers),
            content=out.content,
            timeout=httpx2.Timeout(out.timeout_s, connect=CONNECT_TIMEOUT_S),
            extensions={"trace": trace},
        )
        response = await self._client.send(request, stream=True)
        try:
            return Incoming(
                response.status_code, dict(response.headers.items()), await _capped(response)
            )
        finally:
            await response.aclose()


async def _capped(response: httpx2.Response) -> bytes:
    taken = bytearray()
    async for piece in response.aiter_bytes():
        taken += piece
        if len(taken) > LARGEST_REPLY:
            detail = f"the answer has more than {LARGEST_REPLY:,} bytes"
            raise OutboundError("reply_too_large", detail, sent=True)
    return bytes(taken)
