"""A documentation site, by its sitemap: same origin only, loopback only unless told otherwise."""

from __future__ import annotations

import ipaddress
import re
import socket
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit
from xml.etree.ElementTree import Element, ParseError, XMLParser

import httpx

from ingest.parsing import MAX_BYTES, SUFFIXES
from ingest.sources.selection import Selection
from ingest.types import PageError, RawPage, SourceError

_HTML_TYPES = {"text/html", "application/xhtml+xml"}
_TYPE_SUFFIXES = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "application/pdf": ".pdf",
}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_GZIP = b"\x1f\x8b"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class SitemapLimits:
    """How much a site may ask of us."""

    pages: int = 10_000
    sitemaps: int = 50
    sitemap_bytes: int = 50_000_000  # the limit of sitemaps.org
    page_bytes: int = MAX_BYTES
    timeout_s: float = 10.0  # of one connection or read
    redirects: int = 3


class _Refused(Exception):
    """A request that was not made, or whose answer is of no use."""


class SitemapSource:
    """Pages that `sitemap_url` lists, in the order of their paths.

    Only the sitemap's own origin is asked, redirects included; a host that is not loopback needs
    `allow_remote`.
    """

    def __init__(
        self,
        id: str,
        sitemap_url: str,
        *,
        selection: Selection | None = None,
        limits: SitemapLimits | None = None,
        allow_remote: bool = False,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._id = id
        self._url = sitemap_url
        self._selection = selection or Selection()
        self._limits = limits or SitemapLimits()
        self._allow_remote = allow_remote
        self._transport = transport

    @property
    def id(self) -> str:
        return self._id

    def pages(self) -> Iterator[RawPage | PageError]:
        """Raises SourceError when the sitemap is refused, missing, broken or too large."""
        self._check_host()
        with httpx.Client(
            timeout=self._limits.timeout_s,
            transport=self._transport,
            trust_env=False,
            headers={"user-agent": "embark-ingest"},
        ) as client:
            try:
                listed = self._listed(client)
            except (_Refused, httpx.HTTPError) as error:
                raise SourceError(f"source {self._id!r}: {self._url}: {error}") from error
            for url in sorted(listed, key=_path_of):
                page = self._page(client, url, listed[url])
                if page is not None:
                    yield page

    def _check_host(self) -> None:
        parts = urlsplit(self._url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise SourceError(f"source {self._id!r}: {self._url!r} is no http(s) address")
        if not self._allow_remote and not _is_loopback(parts.hostname):
            raise SourceError(
                f"source {self._id!r}: {parts.hostname} is not this machine; allow remote hosts"
                " for this source if its pages may be fetched over the network"
            )

    def _listed(self, client: httpx.Client) -> dict[str, str | None]:
        """Page address to the day of its last change."""
        pages: dict[str, str | None] = {}
        waiting, seen = [self._url], {self._url}
        while waiting:
            root = _xml(self._fetch(client, waiting.pop(0), self._limits.sitemap_bytes).content)
            is_index = _name(root) == "sitemapindex"
            for location, day in _entries(root):
                url = urljoin(self._url, location)
                if not is_index:
                    pages.setdefault(url, day)
                elif url not in seen:
                    seen.add(url)
                    waiting.append(url)
            if len(seen) > self._limits.sitemaps:
                raise _Refused(f"more than {self._limits.sitemaps} sitemaps")
            if len(pages) > self._limits.pages:
                raise _Refused(f"more than {self._limits.pages} pages; raise the limit to read all")
        return pages

    def _page(self, client: httpx.Client, url: str, day: str | None) -> RawPage | PageError | None:
        path = _path_of(url)
        try:
            response = self._fetch(client, url, self._limits.page_bytes)
        except (_Refused, httpx.HTTPError) as error:
            message = str(error) or type(error).__name__
            return PageError(path, None, f"{url}: {message}", "mend the page or the sitemap")
        kind = response.headers.get("content-type", "text/html").split(";")[0].strip().lower()
        if PurePosixPath(path).suffix.lower() not in SUFFIXES or kind in _HTML_TYPES:
            path = f"{_stem(path)}{_TYPE_SUFFIXES.get(kind, '')}"
        if not self._selection.takes(path):
            return None
        return RawPage(path, response.content, url, day or _modified(response))

    def _fetch(self, client: httpx.Client, url: str, limit: int) -> httpx.Response:
        """The answer to a GET, redirects within the origin followed.

        Raises _Refused, httpx.HTTPError.
        """
        for _ in range(self._limits.redirects + 1):
            if _origin(url) != _origin(self._url):
                raise _Refused(f"{url} is on another origin than the sitemap")
            with client.stream("GET", url) as response:
                if response.is_redirect:
                    url = urljoin(url, response.headers["location"])
                    continue
                if not response.is_success:
                    raise _Refused(f"the server answered {response.status_code}")
                content = _capped(response, limit)
            return httpx.Response(200, headers=_kept(response), content=content)
        raise _Refused(f"more than {self._limits.redirects} redirects")


def _capped(response: httpx.Response, limit: int) -> bytes:
    content = bytearray()
    for part in response.iter_bytes():
        content += part
        if len(content) > limit:
            raise _Refused(f"the answer is longer than {limit:,} bytes")
    if not content.startswith(_GZIP):
        return bytes(content)
    try:  # a .xml.gz is gzip in itself, not in transfer
        inflated = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(bytes(content), limit + 1)
    except zlib.error as error:
        raise _Refused(f"broken gzip: {error}") from error
    if len(inflated) > limit:
        raise _Refused(f"the answer is longer than {limit:,} bytes")
    return inflated


def _kept(response: httpx.Response) -> dict[str, str]:
    return {
        name: response.headers[name]
        for name in ("content-type", "last-modified")
        if name in response.headers
    }


def _xml(data: bytes) -> Element:
    """Sitemaps declare no document type; one that does wants to expand or fetch entities."""
    if b"<!DOCTYPE" in data[:4096] or b"<!ENTITY" in data:
        raise _Refused("the sitemap declares a document type, which is refused")
    parser = XMLParser()
    try:
        parser.feed(data)
        return parser.close()
    except ParseError as error:
        raise _Refused(f"the sitemap is not XML: {error}") from error


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _entries(root: Element) -> Iterator[tuple[str, str | None]]:
    if _name(root) not in {"urlset", "sitemapindex"}:
        raise _Refused(f"<{_name(root)}> is no sitemap; give the address of sitemap.xml")
    for entry in root:
        fields = {_name(child): (child.text or "").strip() for child in entry}
        if location := fields.get("loc"):
            day = _DAY.match(fields.get("lastmod", ""))
            yield location, day[0] if day else None


def _modified(response: httpx.Response) -> str | None:
    value = response.headers.get("last-modified")
    if value is None:
        return None
    try:
        return parsedate_to_datetime(value).date().isoformat()
    except ValueError:
        return None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _path_of(url: str) -> str:
    path = unquote(urlsplit(url).path)
    named = f"{path}index" if path.endswith("/") or not path else path
    parts = [part for part in PurePosixPath(named).parts if part not in {"/", "..", "."}]
    return "/".join(parts) or "index"


def _stem(path: str) -> str:
    place = PurePosixPath(path)
    return str(place.with_suffix("")) if place.suffix.lower() in SUFFIXES else path


def _is_loopback(host: str) -> bool:
    """Every address that the name resolves to must be loopback."""
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return False
    return all(ipaddress.ip_address(str(entry[4][0]).split("%")[0]).is_loopback for entry in found)
