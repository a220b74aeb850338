"""What every Redactor does: masks, keeps offsets true, cannot be stalled, never fails open."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from guardrails import Redaction, Redactor

PERSONAL = [
    ("EMAIL_ADDRESS", "jörg.müller+news@firma.co.uk"),
    ("EMAIL_ADDRESS", "jane@sub.firma.de"),
    ("PHONE_NUMBER", "+49 30 901820"),
    ("PHONE_NUMBER", "(212) 736-5000"),
    ("IBAN_CODE", "DE44 5001 0517 5407 3249 31"),
    ("IBAN_CODE", "gb12spfc66723974480868"),
    ("CREDIT_CARD", "4929 6617 9712 5431"),
    ("CREDIT_CARD", "378282246310005"),
    ("IP_ADDRESS", "86.121.97.248"),
    ("IP_ADDRESS", "2a00:1450:4001:82f::200e"),
    ("US_SSN", "460-89-9847"),
    ("NATIONAL_ID", "529.982.247-25"),
    ("NATIONAL_ID", "RSSMRA85T10A562S"),
    ("CRYPTO", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"),
]

SECRETS = [
    ("API_KEY", "AKIA" + "Z7QWERT2YUIOP4LK"),
    ("API_KEY", "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"),
    ("API_KEY", "glpat-" + "wN8sK2qVx4mZ7tYb1cRd"),
    ("API_KEY", "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"),
    ("API_KEY", "xoxb-" + "263594206564-FGqddMF8t08v8N7Oq4i57vs1"),
    ("API_KEY", "AIza" + "SyDk3vQ9fXc2Lr8Wb7TnPz0Ym5Jh1GsKe4U"),
    ("API_KEY", "sk-ant-api03-" + "Qv7" * 29 + "xA-bC9dE2fAA"),
    ("API_KEY", "sk-proj-" + "0Ht0WyQdo7xzfVVLZm3yg5i7LwB6DFnCmMItt9QNuJDPpuF"),
    ("API_KEY", "SG." + "ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf-09kqeF8tAmbihYzrnopKc"),
    ("API_KEY", "npm_" + "qR7tY2uI9oP4aS6dF1gH8jK3lZ5xC0vB2nM4"),
    ("API_KEY", "SG." + "ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf-09kqeF8tAmbihYzrnop"),
    ("PRIVATE_KEY", "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAvpnaPKLIKdvx98KW\n"
     "-----END RSA PRIVATE KEY-----"),
]  # fmt: skip

KEPT_IN_DOCUMENTS = [
    "Send it to support@harborhq.com or to jane@example.com.",
    "The admin API listens on 127.0.0.1:8001, the node on 10.0.0.7; allow 52.18.204.89 too.",
    "Set `password: $DB_PASSWORD`, `api_key: YOUR_API_KEY` and `token: <your-token>`.",
    "Use the test card 4242 4242 4242 4242 and `sk_test_xxxxxxxxxxxxxxxxxxxxxxxx`.",
    "Upgrade from 2.8.1 to 3.4.0.0, then call https://api.harborhq.com/v1/users?page=2.",
    "Retry 3 times in 2024-05-17 07:13:05; the limit is 1234567 rows.",
]

BOMBS = ["." * 8000, "a." * 4000, "a@" * 4000, "1 " * 4000, "+1" * 4000, "-" * 8000, "://" * 3000,
         "password:" * 900, "eyJ" * 3000, "BEGIN PRIVATE KEY-----" * 400, "[" * 8000,
         "curl -u " * 1000, "a" * 8000, "9" * 8000, ":" * 8000, "x-" * 4000]  # fmt: skip


class RedactorContract:
    """Inherited by the test module of each adapter, which provides `redactor`."""

    stall_s = 0.5
    """The longest that an adversarial text of 8 KB may take, safety target 34."""

    @pytest.fixture
    def redactor(self) -> Redactor:
        raise NotImplementedError

    @pytest.mark.parametrize(("type", "value"), PERSONAL + SECRETS)
    def test_masks_the_value_whole_and_nothing_else(
        self, redactor: Redactor, type: str, value: str
    ) -> None:
        text = f"Für mich:  {value}  \N{PARTY POPPER}"
        redaction = redactor.redact(text)
        assert redaction.text == f"Für mich:  <{type}>  \N{PARTY POPPER}"
        assert [(text[s.start : s.end], s.type) for s in redaction.spans] == [(value, type)]

    @pytest.mark.parametrize(("type", "value"), SECRETS)
    def test_masks_secrets_in_documents_too(
        self, redactor: Redactor, type: str, value: str
    ) -> None:
        assert value not in redactor.redact_document(f"Set it to `{value}` now.").text

    def test_masks_a_personal_mailbox_in_documents(self, redactor: Redactor) -> None:
        assert redactor.redact_document("Ask jana.petrov@gmail.com").text == "Ask <EMAIL_ADDRESS>"

    @pytest.mark.parametrize("text", KEPT_IN_DOCUMENTS)
    def test_leaves_published_examples_alone(self, redactor: Redactor, text: str) -> None:
        assert redactor.redact_document(text) == Redaction(redactor.redact_document(text).text, ())
        assert redactor.redact_document(text).text == text

    @pytest.mark.parametrize(
        ("text", "masked"),
        [
            ("my password is hunter2!", "my password is <PASSWORD>"),
            ("password: correcthorse", "password: <PASSWORD>"),
            ("DB_PASSWORD='s3cr3t pass'", "DB_PASSWORD='<PASSWORD> pass'"),
            ('client_secret = "dGhpc2lzYXNlY3JldDEyMw"', 'client_secret = "<SECRET>"'),
            ("postgres://app:Zk29qqPl@db:5432/x", "<URL>"),
        ],
    )
    def test_masks_what_a_key_names(self, redactor: Redactor, text: str, masked: str) -> None:
        assert redactor.redact(text).text == masked

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "How do I invite 25 teammates to workspace 7?",
            "I forgot my password: where do I reset it?",
            "Does version 3.4.0.1 support SSO for 10,000 users on 2024-05-17?",
            "Order 1234567890123456 failed with error 0x80070005 at 12:30:45",
        ],
    )
    def test_leaves_a_plain_question_alone(self, redactor: Redactor, text: str) -> None:
        assert redactor.redact(text) == Redaction(redactor.redact(text).text, ())
        assert redactor.redact(text).text == text

    def test_sees_through_invisible_and_full_width_characters(self, redactor: Redactor) -> None:
        assert redactor.redact("\uff14\uff19\uff12\uff19661797125431").text == "<CREDIT_CARD>"
        hidden = "4929\u200b6617\u200d9712\u20605431"
        assert redactor.redact(f"x {hidden} y").text == "x <CREDIT_CARD> y"

    def test_spans_are_ordered_and_apart(self, redactor: Redactor) -> None:
        text = " ".join(value for _, value in PERSONAL + SECRETS)
        spans = redactor.redact(text).spans
        assert all(a.end <= b.start for a, b in pairwise(spans))
        assert len(spans) >= len(PERSONAL)

    @pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb[:8])
    def test_cannot_be_stalled_and_finds_what_stands_after(
        self, redactor: Redactor, bomb: str
    ) -> None:
        started = time.perf_counter()
        text = redactor.redact(f"{bomb} \n jana@firma.de \n {bomb}").text
        assert time.perf_counter() - started < self.stall_s
        assert "jana@firma.de" not in text
