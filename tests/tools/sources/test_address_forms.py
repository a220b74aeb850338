"""However an inside address is written, and whatever a name answers, nothing connects to it."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterator

import httpx2
import pytest

from tests.tools.sources.test_http import PUBLIC, Names, Wire
from tools.http import Outbound, OutboundError, Outgoing, Reach

INSIDE = (
    *("127.0.0.1", "10.0.0.8", "169.254.169.254", "192.168.1.1", "172.16.0.9"),
    *("100.64.0.1", "0.0.0.0", "198.18.0.1"),
)
CIRCLED = "\u24ea\u2460\u2461\u2462\u2463\u2464\u2465\u2466\u2467\u2468"
LEAST_FORMS = 300
REBOUND = 300


def written(address: str) -> Iterator[str]:
    """Hosts of a URL that some resolver, browser or library takes for this address."""
    parts = [int(part) for part in address.split(".")]
    number = int(ipaddress.IPv4Address(address))
    mapped, high, low = f"::ffff:{address}", number >> 16, number & 0xFFFF
    yield from (address, f"{address}.", f"{address}%00", f"{address}%2e", f"%31{address[1:]}")
    yield from (str(number), hex(number), f"0{number:o}", f"0X{number:08X}", f"0x0{number:x}")
    for form in ("{:#x}", "0{:o}", "0x{:02X}", "000{:o}", "{:03d}"):
        yield ".".join(form.format(part) for part in parts)
    yield f"{parts[0]:#x}.{parts[1]}.0{parts[2]:o}.{parts[3]:#x}"
    yield f"{parts[0]}.{parts[1]}.{parts[2] * 256 + parts[3]}"
    yield f"{parts[0]}.{number & 0xFFFFFF}"
    yield f"0x{parts[0]:x}.0x{number & 0xFFFFFF:x}"
    yield ".".join(f"{part + 256}" for part in parts)
    yield f"[{mapped}]"
    yield f"[::ffff:{high:x}:{low:x}]"
    yield f"[0:0:0:0:0:ffff:{high:x}:{low:x}]"
    yield f"[::{high:x}:{low:x}]"
    yield f"[64:ff9b::{high:x}:{low:x}]"
    yield f"[64:ff9b::{address}]"
    yield f"[2002:{high:x}:{low:x}::]"
    yield f"[2001:0:4136:e378:8000:63bf:{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}]"
    yield from (f"[{mapped}%25eth0]", f"[{mapped}%251]", f"[{mapped.upper()}]")
    yield "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in address)  # fullwidth
    yield address.replace(".", "\u3002")  # ideographic full stop
    yield "".join(CIRCLED[int(c)] if c.isdigit() else c for c in address)
    yield from (f"user@{address}", f"{PUBLIC}@{address}", f"{address}:443", f"{address}#@{PUBLIC}")
    yield from (f"{address}\\@{PUBLIC}", f"{address}/@{PUBLIC}", f"{address}?@{PUBLIC}")


FORMS = list(dict.fromkeys(form for address in INSIDE for form in written(address)))


def hosts_of(url: str) -> frozenset[str]:
    """As if an operator had listed it, however it is read."""
    try:
        return frozenset({httpx2.URL(url).host, url.removeprefix("https://").rstrip("/")})
    except httpx2.InvalidURL:
        return frozenset()


async def reached(url: str, reach: Reach, wire: Wire, **more: object) -> bool:
    async with Outbound(reach, pool=lambda: wire, **more) as outbound:  # type: ignore[arg-type]
        try:
            await outbound.send(Outgoing("GET", url, {}))
        except OutboundError:
            return False
        return True


async def test_no_way_to_write_an_inside_address_connects() -> None:
    assert len(FORMS) >= LEAST_FORMS
    wire = Wire()
    connected = [
        form
        for form in FORMS
        if await reached(f"https://{form}/", Reach(hosts_of(f"https://{form}/")), wire)
    ]
    assert [address for address, *_ in wire.seen if address != PUBLIC] == []
    # those that connect are read as naming the public one
    assert [form for form in connected if not form.endswith(f"\\@{PUBLIC}")] == []


async def test_that_is_not_because_nothing_ever_does() -> None:
    for form in (PUBLIC, "[2606:4700::1111]"):
        assert await reached(f"https://{form}/", Reach(frozenset({form.strip("[]")})), Wire())


async def test_a_name_that_answers_otherwise_the_second_time_connects_nowhere_inside() -> None:
    """Rebinding, in any order: every connection goes to an address that was checked itself."""
    rng = random.Random(7)
    wire, reach = Wire(), Reach(frozenset({"api.example"}))
    for _ in range(REBOUND):
        answers = [
            rng.sample([PUBLIC, *INSIDE, "::1", "fe80::1"], rng.randint(1, 3)) for _ in range(4)
        ]
        names = Names(*answers)
        async with Outbound(reach, resolver=names, pool=lambda: wire) as outbound:
            for _ in range(4):
                try:
                    await outbound.send(Outgoing("GET", "https://api.example/", {}))
                except OutboundError as refused:
                    assert refused.code == "host_refused"
    assert {address for address, *_ in wire.seen} == {PUBLIC}


@pytest.mark.parametrize("form", ["127.0.0.1", "2130706433", "0x7f.1", "[::1]"])
async def test_inside_is_reached_only_where_exactly_that_is_listed(form: str) -> None:
    wire = Wire()
    listed = Reach(frozenset(), frozenset({"127.0.0.1:8420"}))
    for port in (443, 8421):
        assert not await reached(f"https://{form}:{port}/", listed, wire)
    assert await reached("http://127.0.0.1:8420/", listed, wire)
