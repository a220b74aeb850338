"""A host's page on an origin of its own, under the strictest policy that the widget promises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from typing_extensions import override

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>A product</title>
<script src="/embed.js"></script>
<script async src="{embark}/widget/v1/embark.js" data-workspace="w1"></script></head>
<body><main><h1>A product</h1><p>Words of the product.</p><a id="nowhere" href="#nowhere">Here</a>
<form id="names" action="#sent"><label>Name <input name="name"></label><button>Save</button></form>
</main></body></html>"""
GUIDED = "/guided"
NAV = '<nav id="nav"><a href="/app/connections">Connections</a></nav>'
"""What Harbor's guides point at."""
EMBED = """window.Embark ??= (...command) => (Embark.q ??= []).push(command);
const said = new URLSearchParams(location.search);
const token = said.get("token");
const more = Object.fromEntries([...said].filter(([name]) => name !== "token"));
Embark("boot", { ...more, ...(token ? { getToken: () => token, user: token.slice(-8) } : {}) });"""


def policy(embark: str) -> str:
    """What a host has to allow, and nothing else."""
    return (
        f"default-src 'none'; script-src 'self' {embark}; connect-src {embark}; "
        "form-action 'self'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


@contextmanager
def hosting(server: ThreadingHTTPServer) -> Iterator[None]:
    """Until the block ends."""
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def host_server() -> ThreadingHTTPServer:
    """On a free port; it answers once `embark` is set."""
    return ThreadingHTTPServer(("127.0.0.1", 0), _Page)


def origin_of(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


def _page(embark: str, path: str) -> str:
    page = PAGE.replace("{embark}", embark)
    return page.replace("<main>", f"{NAV}<main>") if path.startswith(GUIDED) else page


class _Page(BaseHTTPRequestHandler):
    embark = ""

    def do_GET(self) -> None:
        is_script = self.path.startswith("/embed.js")
        body = EMBED if is_script else _page(type(self).embark, self.path)
        self.send_response(200)
        self.send_header("content-type", "text/javascript" if is_script else "text/html")
        self.send_header("content-security-policy", policy(type(self).embark))
        self.end_headers()
        self.wfile.write(body.encode())

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""


def points_to(embark: str) -> None:
    """Which copilot the page embeds."""
    _Page.embark = embark
