"""settings -> channels, delivery log, worker, desk: from a failed import to a mail that arrived."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from embark.channel_parts import (
    Around,
    Interventions,
    MessageSettings,
    WebhookPolicy,
    asked,
    channels_of,
    effects_of,
    heard_by,
    open_interventions,
    reach_of,
)
from embark.layers import ConfigurationError, load_settings
from onboarding.interventions import Channel, Message, Standing
from onboarding.interventions.channel import Effect
from onboarding.interventions.detecting import FILE
from onboarding.interventions.governor import House
from onboarding.interventions.signals import Signal, SignalKind
from onboarding.store.interventions.contacts import Directory
from onboarding.store.interventions.mail import MailPolicy, Security
from onboarding.store.interventions.posting import Reply, Request, RequestError
from onboarding.store.interventions.sms import SmsPolicy
from onboarding.types import Person
from tests.onboarding.interventions.making import NOON, mail
from tests.onboarding.interventions.receivers import MailServer, ask, mail_server, provider
from tools.http import Outbound
from tools.store.engine import open_engine
from tools.webhooks import read_secrets, signed, verified

ANA = Person("default", "ana", "acme")
SECRETS = read_secrets("whsec_" + "A" * 32)


class Fine:
    async def of_all(self, messages: Sequence[Message], now: datetime) -> tuple[Standing, ...]:
        return tuple(Standing(zone="UTC") for _ in messages)


def chosen(port: int, **more: object) -> MessageSettings:
    policy = MailPolicy("127.0.0.1", port, "Acme <a@acme.example>", Security.NONE)
    made = MessageSettings(mail=policy, house=House(zone="UTC"), sender="Acme")
    return replace(made, **more)  # type: ignore[arg-type]  # its fields


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as kept:
        yield kept


async def opened(closing: AsyncExitStack, settings: MessageSettings) -> Interventions:
    return await open_interventions(load_settings().settings, settings, Around(Fine()), closing)


async def test_a_failed_import_is_answered_in_the_inbox(project: Path, server: MailServer) -> None:
    async with AsyncExitStack() as closing:
        parts = await opened(closing, chosen(server.port))
        signal = Signal(
            "f", SignalKind.IMPORT_FAILED, NOON, "stripe", known=(("source", "Stripe"),)
        )
        (made,) = await parts.desk.take([(ANA, signal)], NOON)
        assert made.action == "import_csv"
        assert await parts.worker.visit(NOON) == {"sent": 1}
        (item,) = await parts.door.inbox(ANA)
    assert item.title == "Stripe could not be imported"


async def test_who_has_no_directory_sends_no_mail(project: Path, server: MailServer) -> None:
    made = mail(person=ANA, template="next-step", values={"step": "x"})
    async with AsyncExitStack() as closing:
        parts = await opened(closing, chosen(server.port))
        await parts.store.plan([made], NOON)
        assert await parts.worker.visit(NOON) == {"dead": 1}
        assert [a.name for a in parts.agings] == ["deliveries", "friction_watches"]
        assert await parts.personal.residue("default", "ana") == 1
        lines = [line async for line in parts.personal.export("default", "ana")]
        assert "a@acme" not in "".join(lines)
        assert await parts.personal.erase("default", "ana") == 1
    assert server.taken == []


async def test_providers_are_heard_whose_secret_is_set(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine(f"sqlite:///{project / 'onboarding.sqlite'}")
    try:
        assert heard_by(load_settings().settings, engine) is None
        monkeypatch.setenv("EMBARK_ONBOARDING__NEWS__SECRETS_ENV", "NEWS")
        with pytest.raises(ConfigurationError, match=r"onboarding\.news"):
            heard_by(load_settings().settings, engine)
        monkeypatch.setenv("NEWS", "whsec_" + "B" * 32)
        heard = heard_by(load_settings().settings, engine)
        assert heard is not None
        body = b'{"type": "delivery.bounced"}'
        headers = signed(read_secrets("whsec_" + "B" * 32), "m1", NOON, body)
        assert verified(heard.secrets, headers, body, NOON) == "m1"
        assert await heard.seen.take("t", "deliveries", "m1", NOON)
        assert not await heard.seen.take("t", "deliveries", "m1", NOON)
    finally:
        engine.dispose()


def test_only_what_is_named_is_reached() -> None:
    made = MessageSettings(
        sms=SmsPolicy("https://sms.example/v1", "t", "Acme", keyed=False),
        webhook=WebhookPolicy("https://hooks.example/x", SECRETS),
        contacts=Directory("https://api.example/people", "t"),
    )
    hosts = {"sms.example", "hooks.example", "api.example"}
    assert reach_of(made).hosts == hosts
    channels = channels_of(made, ask)
    assert effects_of(channels) == {
        Channel.IN_APP: Effect.INBOX,
        Channel.SMS: Effect.ONCE,
        Channel.WEBHOOK: Effect.KEYED,
    }
    assert set(channels_of(MessageSettings(), ask)) == {Channel.IN_APP}


async def test_the_products_client_carries_requests() -> None:
    async with provider() as server:
        place = f"127.0.0.1:{server.port}"
        settings = MessageSettings(private_hosts=frozenset({place}))
        request = Request("POST", server.url, {"idempotency-key": "k"}, b"{}", 5.0)
        async with Outbound(reach_of(settings)) as outbound:
            reply = await asked(outbound, request)
            assert isinstance(reply, Reply)
            assert reply.status == 202
        async with Outbound(reach_of(MessageSettings())) as outbound:
            with pytest.raises(RequestError) as refused:
                await asked(outbound, request)
    assert not refused.value.sent


async def test_mistakes_in_files_are_told_with_their_lines(project: Path) -> None:
    wrong = project / "detectors.yaml"
    wrong.write_text(FILE.read_text().replace("severity: 3", "severity: 9", 1))
    async with AsyncExitStack() as closing:
        with pytest.raises(ConfigurationError) as raised:
            await opened(closing, chosen(1, detectors=wrong))
        assert f"{wrong}:" in str(raised.value)
        misfit = FILE.read_text().replace("values: {about: about}, guide: trou", "guide: trou")
        wrong.write_text(misfit)
        with pytest.raises(ConfigurationError, match="troubleshooter has no value for about"):
            await opened(closing, chosen(1, detectors=wrong))
        templates = project / "templates"
        templates.mkdir()
        (templates / "x.yaml").write_text('template: x\ntexts: {en: {subject: "{y}", body: b}}\n')
        with pytest.raises(ConfigurationError) as raised:
            await opened(closing, chosen(1, templates=(templates,)))
    assert "missing translation" in str(raised.value)
    assert "unknown placeholder y" in str(raised.value)
