"""Keys and sealing: what is signed, with which key, and that others agree."""

from __future__ import annotations

import hashlib
import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey
from pydantic import JsonValue

from tests.tools.receipts.chains import NOON, payload
from tests.tools.receipts.scenes import b64, unb64
from tools.canonical import NotCanonicalError, canonical, sha256
from tools.receipts.keys import Key, KeyRing, KeyRingError
from tools.receipts.sealing import TYPE, JwsSealer
from tools.receipts.verify.journal import canonical as verifiers_canonical
from tools.receipts.verify.reading import link, load_keys

DAY = timedelta(days=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def ring(folder: Path) -> KeyRing:
    return KeyRing.open(folder, NOON)


def by_joserfc(key: Key, data: bytes) -> str:
    assert key.private is not None
    header = {"alg": key.alg, "kid": key.kid, "typ": TYPE}
    return jws.serialize_compact(header, data, OKPKey.import_key(key.private), algorithms=[key.alg])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=8))
def test_a_seal_is_byte_for_byte_what_joserfc_makes(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, JsonValue]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "one-ring"
    ring = KeyRing.open(folder, NOON)
    assert JwsSealer(ring, lambda: NOON).seal(content) == by_joserfc(
        ring.signer(NOON), canonical(content)
    )


@given(json_values)
def test_the_verifiers_canonical_form_is_that_of_the_journal(value: JsonValue) -> None:
    assert verifiers_canonical(value).encode() == canonical(value)


def test_joserfc_verifies_it_with_the_published_keys(ring: KeyRing) -> None:
    sealed = JwsSealer(ring, lambda: NOON).seal(payload("acme", 1, ""))
    keys = KeySet.import_key_set(ring.jwks())  # type: ignore[arg-type]  # plain JSON
    found = jws.deserialize_compact(sealed, keys, algorithms=["Ed25519"])
    assert found.payload == canonical(payload("acme", 1, ""))
    assert found.headers() == {"alg": "Ed25519", "kid": ring.signer(NOON).kid, "typ": TYPE}
    with pytest.raises(JoseError):
        jws.deserialize_compact(sealed, keys, algorithms=["EdDSA"])


@pytest.mark.parametrize("value", [1.0, 2**53, float("nan"), "\ud800"])
def test_what_has_no_canonical_form_is_not_signed(ring: KeyRing, value: JsonValue) -> None:
    with pytest.raises(NotCanonicalError):
        JwsSealer(ring, lambda: NOON).seal({"v": value})


def test_a_receipt_is_at_most_a_kilobyte(ring: KeyRing) -> None:
    """The millionth of a chain."""
    sealed = JwsSealer(ring, lambda: NOON).seal(payload("acme", 1_000_000, "p" * 43))
    assert len(sealed) <= 1024


def test_the_link_is_what_the_journal_chains_by() -> None:
    assert link(b"a.b.c") == sha256(b"a.b.c")


def test_the_kid_is_the_thumbprint_of_rfc_7638(ring: KeyRing) -> None:
    (key,) = ring.keys().values()
    members = json.dumps(
        {"crv": "Ed25519", "kty": "OKP", "x": key.public["x"]}, separators=(",", ":")
    )
    assert key.kid == b64(hashlib.sha256(members.encode()).digest())
    assert key.public["alg"] == "Ed25519"
    assert key.public["use"] == "sig"


def test_the_thumbprint_of_rfc_8037_is_computed_alike() -> None:
    """Appendix A.3."""
    x, kid = (
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
    )
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "alg": "Ed25519"}
    assert load_keys(json.dumps({"keys": [jwk]}))[kid].raw == unb64(x)


def test_private_keys_are_for_their_owner_alone(folder: Path, ring: KeyRing) -> None:
    modes = {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert (stat.S_IMODE(folder.stat().st_mode), modes) == (0o700, {0o600})
    assert '"d"' not in json.dumps(ring.jwks())
    for path in (folder, next(folder.iterdir())):
        mode = path.stat().st_mode
        path.chmod(mode | stat.S_IRGRP)
        with pytest.raises(KeyRingError, match="chmod"):
            KeyRing.open(folder, NOON)
        path.chmod(mode)


def test_a_rotation_announces_first_and_signs_later(folder: Path, ring: KeyRing) -> None:
    old = ring.signer(NOON)
    beside = KeyRing.open(folder, NOON)  # as a server beside the command
    new = ring.rotate(NOON, DAY)
    assert set(beside.keys()) == {old.kid, new.kid}
    assert beside.signer(NOON + DAY / 2).kid == old.kid
    assert beside.signer(NOON + DAY).kid == new.kid


def test_a_superseded_key_loses_its_private_half_and_stays_verifiable(ring: KeyRing) -> None:
    first = ring.signer(NOON)
    sealed = JwsSealer(ring, lambda: NOON).seal({"v": 1})
    ring.rotate(NOON, DAY)
    ring.rotate(NOON + 2 * DAY, DAY)
    assert ring.keys()[first.kid].private is None
    assert [key.private is not None for key in ring.keys().values()] == [False, True, True]
    keys = KeySet.import_key_set(ring.jwks())  # type: ignore[arg-type]  # plain JSON
    assert jws.deserialize_compact(sealed, keys, algorithms=["Ed25519"]).payload == b'{"v":1}'


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: record | {"kid": "x"},
        lambda record: record | {"alg": "EdDSA"},
        lambda record: record | {"x": "AAAA"},
        lambda record: {name: record[name] for name in record if name != "signs_from"},
        lambda record: [record],
    ],
)
def test_a_damaged_key_file_is_named(folder: Path, ring: KeyRing, damage: object) -> None:
    (file,) = folder.iterdir()
    file.write_text(json.dumps(damage(json.loads(file.read_text()))))  # type: ignore[operator]
    with pytest.raises(KeyRingError, match=r"\.jwk\.json: "):
        KeyRing.open(folder, NOON)


def test_a_ring_whose_keys_are_all_announced_signs_nothing_yet(ring: KeyRing) -> None:
    with pytest.raises(KeyRingError, match="rotate"):
        ring.signer(NOON - DAY)


def test_a_ring_that_went_away_is_named(folder: Path, ring: KeyRing) -> None:
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    with pytest.raises(KeyRingError, match="restore the keys"):
        ring.signer(NOON)
