"""Messages of the sender are believed; 10,000 forged and repeated ones of every class are not."""

from __future__ import annotations

import base64
import hmac
import json
import random
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.api.minting import NOW
from tools.webhooks.signing import (
    ID,
    MOST_SIGNATURES,
    SIGNATURE,
    TIMESTAMP,
    TOLERANCE_S,
    SecretError,
    Secrets,
    WebhookError,
    read_secrets,
    signed,
    verified,
)

FORGED, CONTROLS = 10_000, 1_000
OLD, NEW = (f"whsec_{base64.b64encode(bytes([n] * 32)).decode()}" for n in (1, 2))
BOTH, ONE = read_secrets(f"{OLD}\n{NEW}"), read_secrets(OLD)
STRANGER = Secrets((bytes(32),))
AT = int(NOW.timestamp())
BODY = b'{"type":"user.deleted","data":{"subject":"usr_1"}}'


class Message(NamedTuple):
    headers: dict[str, str]
    body: bytes


Forge = Callable[[random.Random], Message]


def honest(rng: random.Random, at: int = AT, body: bytes = BODY) -> Message:
    secret = rng.choice((BOTH, ONE, read_secrets(NEW)))
    message_id = f"msg_{rng.getrandbits(64):x}"
    return Message(signed(secret, message_id, datetime.fromtimestamp(at, UTC), body), body)


def with_headers(message: Message, **changed: str | None) -> Message:
    said = message.headers | {f"webhook-{name}": value for name, value in changed.items()}
    return Message({name: v for name, v in said.items() if v is not None}, message.body)


def another_body(rng: random.Random) -> Message:
    headers, body = honest(rng)
    at = rng.randrange(len(body))
    return Message(
        headers,
        rng.choice(
            (
                body[:at] + bytes([body[at] ^ (1 << rng.randrange(8))]) + body[at + 1 :],
                body[:at],
                body + b" ",
                b" " + body,
                body.replace(b"usr_1", b"usr_2"),
                body.replace(b":", b": "),
                body + b"\n",
                b"",
                body.decode().encode("utf-16"),
            )
        ),
    )


def another_id(rng: random.Random) -> Message:
    good = honest(rng)
    old = good.headers[ID]
    wrong = rng.choice((f"{old}x", old[:-1], old.upper(), "", " ", f" {old}", f"{old}\n", None))
    return with_headers(good, id=wrong)


def another_time(rng: random.Random) -> Message:
    good = honest(rng)
    wrong = rng.choice(
        (
            str(AT + rng.randint(1, TOLERANCE_S)),
            str(AT - rng.randint(1, TOLERANCE_S)),
            f"0{AT}",
            f"{AT}.0",
            f"+{AT}",
            f"{AT}e0",
            f" {AT}",
            f"{AT}\n",
            str(AT * 1000),
            "".join(chr(ord(digit) + 0x630) for digit in str(AT)),  # Arabic digits
            "nan",
            "-1",
            "",
            None,
        )
    )
    return with_headers(good, timestamp=wrong)


def too_old_or_new(rng: random.Random) -> Message:
    """Rightly signed, and replayed when its time is over."""
    off = TOLERANCE_S + rng.randint(1, 10_000_000)
    return honest(rng, AT + rng.choice((off, -off)))


def another_signature(rng: random.Random) -> Message:
    good = honest(rng)
    word = good.headers[SIGNATURE].split(" ")[0]
    digest = base64.b64decode(word.removeprefix("v1,"))
    flipped = bytearray(digest)
    flipped[rng.randrange(32)] ^= 1 << rng.randrange(8)
    text = {
        "flipped": base64.b64encode(bytes(flipped)).decode(),
        "short": base64.b64encode(digest[:16]).decode(),
        "long": base64.b64encode(digest + digest).decode(),
        "hex": digest.hex(),
        "zero": base64.b64encode(bytes(32)).decode(),
        "empty": "",
    }
    wrong = rng.choice(
        (
            *(f"v1,{each}" for each in text.values()),
            word.removeprefix("v1,"),
            word.replace("v1,", "v1a,"),
            word.replace("v1,", "v2,"),
            word.replace("v1,", "V1,"),
            word.replace("v1,", "v1="),
            word.replace("v1,", "v1, "),
            f"v1,{text['flipped']} v2,{digest.hex()}",
            " ".join([f"v1,{text['flipped']}"] * MOST_SIGNATURES),
            " ".join([f"v1,{text['zero']}"] * MOST_SIGNATURES + [word]),
            "",
            None,
        )
    )
    return with_headers(good, signature=wrong)


def by_another_secret(rng: random.Random) -> Message:
    keys = (bytes(32), b"", OLD.encode(), OLD.removeprefix("whsec_").encode(), b"whsec_")
    key = rng.choice(keys)
    at = datetime.fromtimestamp(AT, UTC)
    return Message(signed(Secrets((key,)), f"m{rng.getrandbits(32)}", at, BODY), BODY)


def joined_otherwise(rng: random.Random) -> Message:
    """Dots moved: the same bytes are signed, and mean another message."""
    secret, rest = ONE.keys[0], f"{AT}." + BODY.decode()
    message_id = f"a.{AT}"
    content = f"{message_id}.{rest}".encode()
    word = base64.b64encode(hmac.digest(secret, content, "sha256")).decode()
    headers = {ID: message_id, TIMESTAMP: str(AT), SIGNATURE: f"v1,{word}"}
    if rng.random() < 0.5:
        return Message(headers, BODY)
    return Message({**headers, ID: f"{message_id}.{AT}"}, BODY.replace(b"usr_1", b"usr_3"))


def put_together(rng: random.Random) -> Message:
    """Headers of two good messages."""
    one, other = honest(rng), honest(rng, AT + 1, BODY.replace(b"usr_1", b"usr_2"))
    name = rng.choice((ID, SIGNATURE))
    return Message({**one.headers, name: other.headers[name]}, rng.choice((one.body, other.body)))


CLASSES: dict[Forge, set[str]] = {
    another_body: {"wrong_signature"},
    another_id: {"wrong_signature", "malformed_header"},
    another_time: {"wrong_signature", "malformed_header"},
    too_old_or_new: {"too_old_or_new"},
    another_signature: {"wrong_signature", "malformed_header"},
    by_another_secret: {"wrong_signature"},
    joined_otherwise: {"malformed_header"},
    put_together: {"wrong_signature"},
}
"""How a message is forged, and why it is refused: for that, and not for a slip of the forger."""


def refusal(message: Message, secret: Secrets = BOTH) -> str | None:
    try:
        verified(secret, message.headers, message.body, NOW)
    except WebhookError as error:
        return error.reason
    return None


def test_of_10000_forged_messages_none_is_accepted() -> None:
    seed = secrets.randbelow(2**32)
    rng, ways = random.Random(seed), list(CLASSES)
    why: defaultdict[Forge, Counter[str | None]] = defaultdict(Counter)
    for number in range(FORGED):
        forge = ways[number % len(ways)]
        why[forge][refusal(forge(rng))] += 1
    assert sum(count.total() for count in why.values()) == FORGED
    for forge, reasons in why.items():
        assert None not in reasons, f"seed {seed}: {forge.__name__} was believed"
        assert set(reasons) <= CLASSES[forge], f"seed {seed}: {forge.__name__}: {reasons}"


def test_every_honest_message_is_accepted() -> None:
    rng = random.Random(secrets.randbelow(2**32))
    for _ in range(CONTROLS):
        body = rng.randbytes(rng.randrange(200))
        good = honest(rng, AT + rng.randint(-TOLERANCE_S, TOLERANCE_S), body)
        assert verified(BOTH, good.headers, good.body, NOW) == good.headers[ID]
        others = [f"v1,{base64.b64encode(rng.randbytes(32)).decode()}", "v2,x", "v1a,y,z"]
        mixed = [*others, *good.headers[SIGNATURE].split(" ")]
        rng.shuffle(mixed)
        several = with_headers(good, signature=" ".join(mixed))
        assert verified(BOTH, several.headers, several.body, NOW) == good.headers[ID]


def test_either_secret_counts_while_they_are_changed() -> None:
    new = read_secrets(NEW)
    sent = signed(BOTH, "m1", NOW, BODY)
    assert len(sent[SIGNATURE].split(" ")) == 2
    for receiver in (ONE, new, BOTH):
        assert verified(receiver, sent, BODY, NOW) == "m1"
    assert refusal(Message(signed(ONE, "m1", NOW, BODY), BODY), new) == "wrong_signature"
    assert refusal(Message(signed(STRANGER, "m1", NOW, BODY), BODY)) == "wrong_signature"


@pytest.mark.parametrize("off", [-TOLERANCE_S - 1, -TOLERANCE_S, TOLERANCE_S, TOLERANCE_S + 1])
def test_five_minutes_before_and_after(off: int) -> None:
    sent = signed(ONE, "m1", NOW + timedelta(seconds=off), BODY)
    good = abs(off) <= TOLERANCE_S
    assert refusal(Message(sent, BODY)) == (None if good else "too_old_or_new")


def test_the_reference_implementation_believes_us_and_we_believe_it() -> None:
    """The package `standardwebhooks` 1.1, which has the real clock."""
    now = datetime.now(UTC)
    body = json.dumps({"type": "user.deleted", "data": {"subject": "Zoë"}})
    theirs = Webhook(OLD)
    ours = signed(BOTH, "msg_1", now, body.encode())
    assert theirs.verify(body, ours) == json.loads(body)
    with pytest.raises(WebhookVerificationError):
        theirs.verify(body + " ", ours)
    given = {
        ID: "msg_2",
        TIMESTAMP: str(int(now.timestamp())),
        SIGNATURE: theirs.sign("msg_2", now, body),
    }
    assert verified(ONE, given, body.encode(), now) == "msg_2"


def test_the_vector_of_the_specification() -> None:
    """standard-webhooks.md, example of a signature."""
    secret = read_secrets("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
    at = datetime.fromtimestamp(1674087231, UTC)
    message_id = "msg_p5jXN8AQM9LWM0D4loKWxJek"
    body = b'{"test": 2432232314}'
    sent = signed(secret, message_id, at, body)
    expected = hmac.digest(
        base64.b64decode("C2FVsBQIhrscChlQIMV+b5sSYspob7oD"),
        b"msg_p5jXN8AQM9LWM0D4loKWxJek.1674087231." + body,
        "sha256",
    )
    assert sent[SIGNATURE] == f"v1,{base64.b64encode(expected).decode()}"
    assert verified(secret, sent, body, at) == message_id


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "0 secrets"),
        (f"{OLD} {NEW} {OLD}", "3 secrets"),
        ("secret", "begins with whsec_"),
        ("whsec_***", "stands base64"),
        ("whsec_" + base64.b64encode(bytes(23)).decode(), "24 to 64"),
        ("whsec_" + base64.b64encode(bytes(65)).decode(), "24 to 64"),
    ],
)
def test_a_secret_that_must_not_be_used_is_refused_and_not_repeated(text: str, says: str) -> None:
    with pytest.raises(SecretError, match=says) as refused:
        read_secrets(text)
    assert OLD not in str(refused.value)
    shown: Any = repr(BOTH)
    assert shown == "Secrets(2)"
