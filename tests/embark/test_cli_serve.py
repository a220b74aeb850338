"""`embark serve`: what it listens on and what it tells the HTTP surface."""

from __future__ import annotations

import socket

import pytest
import typer

from embark.cli.output import ExitCode
from embark.cli.serve import bound, limits, listening_on, shown, site
from embark.settings import ServerSettings, Settings
from embark.wiring import open_blank


def settings_of(**server: object) -> Settings:
    return Settings(tenant="acme", server=ServerSettings.model_validate(server))


def test_a_taken_port_is_said_before_anything_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(typer.Exit) as ended:
            listening_on(settings_of(port=port))
    assert ended.value.exit_code == ExitCode.CONFIGURATION
    said = capsys.readouterr().err
    assert f"127.0.0.1:{port}" in said
    assert "--port 0" in said


def test_the_address_shown_is_one_that_a_browser_can_open() -> None:
    for host, name in (("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "localhost")):
        with listening_on(settings_of(host=host, port=0)) as listener:
            assert shown(listener) == f"{name}:{listener.getsockname()[1]}"


def test_an_accepted_connection_sends_small_pieces_at_once() -> None:
    with bound("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_settings_reach_the_http_surface() -> None:
    settings = settings_of(
        host="10.0.0.7",
        viewer={"plan": ["team"]},
        max_streams=7,
        streams_per_client=3,
        max_message_bytes=99,
    )
    with open_blank(settings) as product:
        described = site(settings, product)
    assert (described.viewer.tenant, described.viewer.unrestricted) == ("acme", False)
    assert described.viewer.holds == {"plan": frozenset({"team"})}
    assert described.allowed_hosts == ("127.0.0.1", "localhost", "[::1]", "10.0.0.7")
    assert set(described.probes) == {"index", "database", "encoder"}
    caps = limits(settings)
    assert (caps.max_streams, caps.streams_per_client, caps.max_message_bytes) == (7, 3, 99)
