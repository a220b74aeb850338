"""The channels against receivers that really take, refuse, drop and are not there."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typing_extensions import override

from onboarding.interventions import Channel, Klass, Reason
from onboarding.interventions.channel import (
    Again,
    ChannelAdapter,
    ContactsUnavailableError,
    Effect,
    Parcel,
    Refused,
    Result,
    Sent,
    Unsure,
)
from onboarding.store.interventions.contacts import Directory, HostContacts
from onboarding.store.interventions.in_app import InApp, Pushed
from onboarding.store.interventions.mail import Mail, MailPolicy, Security
from onboarding.store.interventions.posting import Reply, Request, RequestError
from onboarding.store.interventions.recording import RecordingChannel
from onboarding.store.interventions.sms import LONGEST, Sms, SmsPolicy, is_start, is_stop, said
from onboarding.store.interventions.webhook import Webhook
from onboarding.types import Person
from tests.contracts.channel import TEXT, ChannelContract, Rig, parcel_of, with_address
from tests.onboarding.interventions.making import ANA, NOON
from tests.onboarding.interventions.receivers import (
    MailServer,
    Provider,
    ask,
    free_port,
    mail_server,
    provider,
)
from tools.webhooks import read_secrets, signed, verified

SECRETS = read_secrets("whsec_" + "A" * 32)


def clock() -> datetime:
    return NOON


def policy(port: int, **more: object) -> MailPolicy:
    made = MailPolicy(
        "127.0.0.1", port, "Acme <hello@acme.example>", Security.NONE, local_name="acme.example"
    )
    return replace(made, **more)  # type: ignore[arg-type]  # fields of a policy


class MailRig:
    def __init__(self, server: MailServer) -> None:
        self.server = server
        self.adapter: ChannelAdapter = Mail(policy(server.port), clock)

    def parcel(self, **more: Any) -> Parcel:
        return parcel_of(self.adapter, "ana@host.example", **more)

    async def answers(self, how: str) -> None:
        self.server.how = how
        if how == "away":
            self.adapter = Mail(policy(free_port()), clock)

    @property
    def taken(self) -> list[str]:
        return [plain(each) for each in self.server.taken]


def plain(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


class HttpRig:
    def __init__(self, server: Provider, adapter: ChannelAdapter, away: ChannelAdapter) -> None:
        self.server = server
        self.adapter = adapter
        self._away = away

    def parcel(self, **more: Any) -> Parcel:
        return parcel_of(self.adapter, "+49 170 1234567", **more)

    async def answers(self, how: str) -> None:
        self.server.how = how
        if how == "away":
            self.adapter = self._away

    @property
    def taken(self) -> list[str]:
        return [str(each.get("text") or each["data"]) for each in self.server.taken.values()]


class TestMail(ChannelContract):
    @pytest.fixture
    @override
    async def rig(self) -> AsyncIterator[Rig]:
        async with mail_server() as server:
            yield MailRig(server)


def sms(url: str, **more: object) -> Sms:
    made = SmsPolicy(url, "secret-token", "Acme")
    return Sms(replace(made, **more), ask)  # type: ignore[arg-type]  # fields of a policy


class TestSms(ChannelContract):
    @pytest.fixture
    @override
    async def rig(self) -> AsyncIterator[Rig]:
        async with provider() as server:
            yield HttpRig(server, sms(server.url), sms(f"http://127.0.0.1:{free_port()}/"))


def webhook(url: str) -> Webhook:
    return Webhook(url, ask, lambda i, at, body: signed(SECRETS, i, at, body), clock)


class TestWebhook(ChannelContract):
    can = frozenset({"busy", "refused", "drops", "away"})

    @pytest.fixture
    @override
    async def rig(self) -> AsyncIterator[Rig]:
        async with provider() as server:
            away = webhook(f"http://127.0.0.1:{free_port()}/")
            yield HttpRig(server, webhook(server.url), away)


class InAppRig:
    """An open page that shows each id once."""

    def __init__(self) -> None:
        self.adapter: ChannelAdapter = InApp(self._push)
        self._shown: dict[str, Pushed] = {}

    async def _push(self, person: Person, pushed: Pushed) -> None:
        assert person == ANA
        self._shown.setdefault(pushed.id, pushed)

    def parcel(self, **more: Any) -> Parcel:
        return parcel_of(self.adapter, "", **more)

    async def answers(self, how: str) -> None:
        raise AssertionError(how)

    @property
    def taken(self) -> list[str]:
        return [each.body for each in self._shown.values()]


class TestInApp(ChannelContract):
    can = frozenset()

    @pytest.fixture
    @override
    def rig(self) -> Rig:
        return InAppRig()

    async def test_a_page_that_is_gone_does_not_stop_it(self) -> None:
        async def gone(person: Person, pushed: Pushed) -> None:
            raise ConnectionResetError

        adapter = InApp(gone)
        assert isinstance(await adapter.send(parcel_of(adapter, "")), Sent)


class TwinRig:
    RESULTS: dict[str, Result] = {  # noqa: RUF012
        "busy": Again(),
        "refused": Refused(),
        "bad_address": Refused(Reason.BOUNCED, address=True),
        "away": Again(),
    }

    def __init__(self) -> None:
        self._twin = RecordingChannel(Channel.EMAIL, Effect.ONCE)
        self.adapter: ChannelAdapter = self._twin

    def parcel(self, **more: Any) -> Parcel:
        return parcel_of(self.adapter, "ana@host.example", **more)

    async def answers(self, how: str) -> None:
        results: Sequence[Result] = [self.RESULTS[how]]
        self._twin = RecordingChannel(Channel.EMAIL, Effect.ONCE, results)
        self.adapter = self._twin

    @property
    def taken(self) -> list[str]:
        return [each.text.body for each in self._twin.taken]


class TestTwin(ChannelContract):
    can = frozenset({"busy", "refused", "bad_address", "away"})

    @pytest.fixture
    @override
    def rig(self) -> Rig:
        return TwinRig()

    async def test_a_keyed_twin_takes_once(self) -> None:
        twin = RecordingChannel(Channel.SMS)
        for _ in range(2):
            await twin.send(parcel_of(twin, "1"))
        assert len(twin.taken) == 1


async def test_headers_and_parts_of_a_mail() -> None:
    async with mail_server() as server:
        chosen = policy(server.port, return_path="bounces+{id}@acme.example")
        parcel = parcel_of(Mail(chosen, clock), "ana@host.example")
        await Mail(chosen, clock).send(parcel)
    (mail,) = server.taken
    assert mail["List-Unsubscribe"] == "<https://app.example/u/x.y>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Message-ID"] == f"<{parcel.id}@acme.example>"
    assert (mail["From"], mail["To"]) == ("Acme <hello@acme.example>", "ana@host.example")
    assert mail["Subject"] == TEXT.subject
    assert mail["Auto-Submitted"] == "auto-generated"
    html = mail.get_body(("html",))
    assert html is not None
    assert "<img" not in str(html.get_content())
    assert TEXT.link in plain(mail)
    assert TEXT.footer in plain(mail)
    assert server.envelopes == [(f"bounces+{parcel.id}@acme.example", ["ana@host.example"])]


async def test_nobody_says_no_to_a_security_notice() -> None:
    async with mail_server() as server:
        adapter = Mail(policy(server.port), clock)
        await adapter.send(parcel_of(adapter, "a@b.example", klass=Klass.TRANSACTIONAL))
    assert server.taken[0]["List-Unsubscribe"] is None


@pytest.mark.parametrize(
    "address",
    ["", "ana", "a@b, c@d", "a@b\r\nBcc: x@y", "<a@b>", "a b@c.example", "a@b@c", '"x"@y', "@y"],
)
async def test_what_is_no_address_is_never_sent(address: str) -> None:
    async with mail_server() as server:
        adapter = Mail(policy(server.port), clock)
        result = await adapter.send(with_address(parcel_of(adapter, "a@b"), address))
    assert result == Refused(Reason.BOUNCED, address=True)
    assert server.taken == []


async def test_an_address_beyond_ascii() -> None:
    async with mail_server() as server:
        adapter = Mail(policy(server.port), clock)
        assert isinstance(await adapter.send(parcel_of(adapter, "jürgen@bücher.example")), Sent)
    assert server.envelopes[0][1] == ["jürgen@bücher.example"]


@pytest.mark.parametrize(
    ("how", "result"),
    [
        ("policy", Refused()),
        ("full", Again(answered=True)),
        ("busy", Again(answered=True)),
        ("closing", Again()),
    ],
)
async def test_what_is_not_the_addresses_fault(how: str, result: Result) -> None:
    async with mail_server() as server:
        server.how = how
        adapter = Mail(policy(server.port), clock)
        assert await adapter.send(parcel_of(adapter, "ana@host.example")) == result


async def test_starttls_and_sign_in(tmp_path: Path) -> None:
    offered, trusted = certificate(tmp_path)
    async with mail_server(offered, ("embark", "pw")) as server:
        chosen = policy(
            server.port,
            host="localhost",
            security=Security.STARTTLS,
            username="embark",
            password="pw",
            authorities=trusted,
            timeout_s=1.0,
        )
        adapter = Mail(chosen, clock)
        assert isinstance(await adapter.send(parcel_of(adapter, "a@b.example")), Sent)
        wrong = Mail(replace(chosen, password="no"), clock)
        assert await wrong.send(parcel_of(adapter, "a@b.example")) == Again()
        stranger = Mail(replace(chosen, authorities=None), clock)
        assert await stranger.send(parcel_of(adapter, "a@b.example")) == Again()
        bare = Mail(replace(chosen, security=Security.NONE), clock)
        assert not isinstance(await bare.send(parcel_of(adapter, "a@b.example")), Sent)
    assert len(server.taken) == 1


async def test_a_server_without_tls_gets_nothing_where_it_is_asked_for() -> None:
    async with mail_server() as server:
        adapter = Mail(policy(server.port, security=Security.STARTTLS), clock)
        assert await adapter.send(parcel_of(adapter, "a@b.example")) == Again()
    assert server.taken == []


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Of localhost, signed by itself: what a server offers, and the file that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "cert.pem").write_bytes(pem)
    (folder / "both.pem").write_bytes(pem + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context, folder / "cert.pem"


async def test_a_text_message_is_short_and_keyed() -> None:
    async with provider() as server:
        adapter = sms(server.url)
        parcel = parcel_of(adapter, "+49 170 1234567")
        await adapter.send(parcel)
    assert server.headers["authorization"] == "Bearer secret-token"
    assert server.headers["idempotency-key"] == parcel.id
    text = said(replace(TEXT, body="x" * 900))
    assert len(text) == LONGEST
    assert text.endswith(f"… {TEXT.link}")
    assert "secret" not in repr(SmsPolicy("u", "secret", "s"))


async def test_without_a_key_at_the_provider_twice_is_twice() -> None:
    assert sms("http://x", keyed=False).effect is Effect.ONCE


async def test_who_opted_out_at_the_provider() -> None:
    async with provider() as server:
        server.how = "opted_out"
        adapter = sms(server.url)
        result = await adapter.send(parcel_of(adapter, "1"))
    assert result == Refused(Reason.UNSUBSCRIBED, address=True)


@pytest.mark.parametrize("text", ["STOP", " stop. ", "Stopp bitte", "unsubscribe", "Abmelden!"])
def test_words_that_stop(text: str) -> None:
    assert is_stop(text)


@pytest.mark.parametrize("text", ["", "!", "please do not stop", "start"])
def test_words_that_do_not_stop(text: str) -> None:
    assert not is_stop(text)
    assert is_start(text) == (text == "start")


async def test_a_webhook_is_signed() -> None:
    async with provider() as server:
        adapter = webhook(server.url)
        parcel = parcel_of(adapter, "")
        await adapter.send(parcel)
    assert verified(SECRETS, server.headers, server.bodies[0], NOON) == parcel.id
    (told,) = server.taken.values()
    data = told["data"]
    assert isinstance(data, dict)
    assert (data["user"], data["values"]) == ("ana", {"step": "Connect"})


class Answers:
    """What a directory says."""

    def __init__(self, status: int, body: bytes = b"{}", *, error: bool = False) -> None:
        self._reply = Reply(status, {}, body)
        self._error = error
        self.asked: list[Request] = []

    async def __call__(self, request: Request) -> Reply:
        self.asked.append(request)
        if self._error:
            raise RequestError("unreachable", sent=False)
        return self._reply


ENTRY = b'{"email": "ana@h.example", "locale": "de", "zone": "Europe/Berlin", "plan": "pro"}'


async def test_the_hosts_directory() -> None:
    answers = Answers(200, ENTRY)
    contacts = HostContacts(Directory("https://h.example/people/", "tok"), answers)
    found = await contacts.of(Person("t", "a/b"), Channel.EMAIL)
    assert found is not None
    assert (found.address, found.locale, found.zone) == ("ana@h.example", "de", "Europe/Berlin")
    assert answers.asked[0].url == "https://h.example/people/a%2Fb"
    assert await contacts.of(ANA, Channel.SMS) is None
    assert await contacts.of(ANA, Channel.IN_APP) is not None
    nobody = HostContacts(Directory("https://h.example", "tok"), Answers(404))
    assert await nobody.of(ANA, Channel.EMAIL) is None
    assert "tok" not in repr(Directory("u", "tok"))


@pytest.mark.parametrize(
    "answers", [Answers(500), Answers(401), Answers(200, b"[]"), Answers(200, error=True)]
)
async def test_a_directory_that_does_not_answer(answers: Answers) -> None:
    contacts = HostContacts(Directory("https://h.example", "tok"), answers)
    with pytest.raises(ContactsUnavailableError):
        await contacts.of(ANA, Channel.EMAIL)


@pytest.mark.parametrize(("status", "result"), [(500, Unsure()), (302, Refused()), (503, Again())])
async def test_what_a_status_means(status: int, result: Result) -> None:
    adapter = Sms(SmsPolicy("http://x", "t", "s"), Answers(status, b"not json"))
    assert await adapter.send(parcel_of(adapter, "1")) == result
