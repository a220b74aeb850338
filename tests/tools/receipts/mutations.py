"""Ways to tamper with exported receipts, each with the classes that must and may be reported."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tests.tools.receipts.chains import NOON, Signed, chain_lines
from tests.tools.receipts.scenes import (
    HOUR,
    Case,
    Scene,
    b64,
    dumps,
    header_of,
    jws_of,
    line_of,
    payload_of,
    sealed,
    unb64,
)
from tools.receipts.verify import Failed, lines, notes

F = Failed
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
ORDER = 2**252 + 27742317777372353535851937790883648493
"""Of the group of Ed25519: S and S + ORDER verify alike where nobody looks (RFC 8032, 5.1.7)."""


@dataclass(frozen=True)
class Tampered:
    """Any of `required` must be reported and nothing outside `required` and `allowed`."""

    case: Case
    required: frozenset[Failed]
    allowed: frozenset[Failed] = frozenset()

    def judged(self, found: set[Failed]) -> bool:
        return bool(found & self.required) and found <= self.required | self.allowed


def _is(case: Case, *required: Failed, also: tuple[Failed, ...] = ()) -> Tampered:
    return Tampered(case, frozenset(required), frozenset(also))


def _pick(scene: Scene, rng: Random) -> tuple[Case, int]:
    return scene.case, rng.choice(scene.case.receipts())


def _other(rng: Random, old: str) -> str:
    return rng.choice(ALPHABET.replace(old, ""))


def _flip_segment(segment: int) -> Callable[[Scene, Random], Tampered]:
    def flip(scene: Scene, rng: Random) -> Tampered:
        case, place = _pick(scene, rng)
        parts = jws_of(case.lines[place]).split(".")
        old = parts[segment]
        at = rng.randrange(len(old))
        parts[segment] = old[:at] + _other(rng, old[at]) + old[at + 1 :]
        changed = case.put(place, line_of(".".join(parts)))
        if segment == 0:
            return _is(changed, F.NOT_CANONICAL, F.UNKNOWN_KEY, also=(F.BAD_SIGNATURE,))
        if segment == 2 and unb64(parts[2]) == unb64(old):  # only bits that mean nothing
            return _is(changed, F.NOT_CANONICAL)
        return _is(changed, F.BAD_SIGNATURE, also=(F.NOT_CANONICAL,))

    return flip


def flip_bit(scene: Scene, rng: Random) -> Tampered:
    """Anywhere in a receipt's line, its frame and end included."""
    case, place = _pick(scene, rng)
    line = bytearray(case.lines[place])
    line[rng.randrange(len(line))] ^= 1 << rng.randrange(8)
    own = (F.NOT_CANONICAL, F.BAD_SIGNATURE, F.UNKNOWN_KEY)
    merged = (F.GAP, F.CUT_TAIL)  # two receipts in one damaged line
    return _is(case.put(place, bytes(line)), *own, also=merged if line[-1:] != b"\n" else ())


def flip_checkpoint(scene: Scene, rng: Random) -> Tampered:
    case = scene.case
    place = rng.choice(case.checkpoints())
    line = bytearray(case.lines[place])
    line[rng.randrange(len(line) - 1)] ^= 1 << rng.randrange(8)
    return _is(case.put(place, bytes(line)), F.NOT_CANONICAL, F.BAD_SIGNATURE, F.UNKNOWN_KEY)


def drop(scene: Scene, rng: Random) -> Tampered:
    """Up to four in a row, never the last."""
    case = scene.case
    places = case.receipts("acme")
    first = rng.randrange(len(places) - 5)
    gone = places[first : first + rng.randint(1, 4)]
    kept = (line for place, line in enumerate(case.lines) if place not in gone)
    return _is(replace(case, lines=tuple(kept)), F.GAP)


def cut_tail(scene: Scene, rng: Random) -> Tampered:
    """Held against the copy of the newest checkpoint that somebody else keeps."""
    case = scene.case
    tenant, note = rng.choice(list(zip(("acme", "globex.de"), scene.heads, strict=True)))
    places = case.receipts(tenant)
    cut = places[-rng.randint(1, len(places) - 1)]
    inside = _checkpoints_of(case, tenant)
    kept = (
        line
        for place, line in enumerate(case.lines)
        if place < cut or place not in (*places, *inside)
    )
    return _is(replace(case, lines=tuple(kept), notes=(note,)), F.CUT_TAIL)


def _checkpoints_of(case: Case, tenant: str) -> list[int]:
    return [i for i in case.checkpoints() if f"/{tenant}\\n".encode() in case.lines[i]]


def duplicate(scene: Scene, rng: Random) -> Tampered:
    case, place = _pick(scene, rng)
    to = rng.choice(case.receipts(payload_of(case.lines[place])["tenant"]))
    return _is(case.put(to, case.lines[place], case.lines[to]), F.BROKEN_CHAIN)


def reorder(scene: Scene, rng: Random) -> Tampered:
    case = scene.case
    one, two = rng.sample(case.receipts("acme"), 2)
    swapped = case.put(one, case.lines[two]).put(two, case.lines[one])
    return _is(swapped, F.BROKEN_CHAIN)


def other_tenants_line(scene: Scene, rng: Random) -> Tampered:
    case = replace(scene.case, notes=scene.heads)
    place = rng.choice(case.receipts("acme"))
    foreign = case.lines[rng.choice(case.receipts("globex.de"))]
    return _is(case.put(place, foreign), F.GAP, F.CUT_TAIL, also=(F.BROKEN_CHAIN,))


def rename_tenant(scene: Scene, rng: Random) -> Tampered:
    case, place = _pick(scene, rng)
    header, _, signature = jws_of(case.lines[place]).split(".")
    payload = payload_of(case.lines[place]) | {"tenant": "initech"}
    return _is(
        case.put(place, line_of(f"{header}.{b64(dumps(payload))}.{signature}")), F.BAD_SIGNATURE
    )


def rename_log(scene: Scene, rng: Random) -> Tampered:
    case = scene.case
    place = rng.choice(case.checkpoints())
    renamed = case.lines[place].replace(b"/acme", b"/x").replace(b"/globex.de", b"/x")
    return _is(case.put(place, renamed), F.UNKNOWN_KEY)


def strangers_signature(scene: Scene, rng: Random) -> Tampered:
    """Under the name of one of our keys."""
    case, place = _pick(scene, rng)
    header, payload = dumps(header_of(case.lines[place])), dumps(payload_of(case.lines[place]))
    return _is(case.put(place, sealed(header, payload, scene.stranger)), F.BAD_SIGNATURE)


def our_other_key(scene: Scene, rng: Random) -> Tampered:
    """The signature of one key of the ring under the name of another."""
    case, place = _pick(scene, rng)
    header = header_of(case.lines[place])
    other = next(kid for kid in [*scene.ring.keys()] if kid != header["kid"])
    payload = dumps(payload_of(case.lines[place]))
    line = sealed(dumps(header), payload, scene.private(other))
    return _is(case.put(place, line), F.BAD_SIGNATURE)


def strangers_key(scene: Scene, rng: Random) -> Tampered:
    case, place = _pick(scene, rng)
    header = header_of(case.lines[place]) | {"kid": b64(rng.randbytes(32))}
    payload = dumps(payload_of(case.lines[place]))
    return _is(case.put(place, sealed(dumps(header), payload, scene.stranger)), F.UNKNOWN_KEY)


def key_left_out(scene: Scene, rng: Random) -> Tampered:
    case = scene.case
    keys = list(case.jwks["keys"])
    keys.pop(rng.randrange(len(keys)))
    return _is(replace(case, jwks={"keys": keys}), F.UNKNOWN_KEY)


def second_receipt(scene: Scene, rng: Random) -> Tampered:
    """Another one with the same number, signed by us."""
    case, place = _pick(scene, rng)
    line = _resigned(scene, case.lines[place], {"effect_ref": b64(rng.randbytes(16))})
    before = rng.random() < 0.5
    both = (line, case.lines[place]) if before else (case.lines[place], line)
    return _is(case.put(place, *both), F.FORK, also=(F.BROKEN_CHAIN,) if before else ())


def rewritten_history(scene: Scene, rng: Random) -> Tampered:
    """By whoever holds our keys: whole and sound, only not what was told outside."""
    case = scene.case
    chain = Signed("acme", scene.ring, now=NOON + HOUR)
    count = len(case.receipts("acme"))
    kept = rng.randrange(count)
    for place in case.receipts("acme")[:kept]:
        chain.seq += 1
        chain.append(jws_of(case.lines[place]))
    tail = [chain.receipt(effect_ref=b64(rng.randbytes(16)))]
    written = [case.lines[place] for place in case.receipts("acme")[:kept]]
    written += [line_of(jws) for jws in tail]
    written += [line.encode() for line in chain_lines(chain, count - kept - 1, 5)]
    return _is(replace(case, lines=tuple(written), notes=scene.heads[:1]), F.FORK)


def skipped_number(scene: Scene, rng: Random) -> Tampered:
    """Linked and signed by us, only a number was left out."""
    chain = Signed("acme", scene.ring)
    written = list(chain_lines(chain, rng.randint(0, 5), 0))
    chain.seq += rng.randint(1, 3)
    written += chain_lines(chain, rng.randint(1, 5), 0)
    return _is(replace(scene.case, lines=tuple(line.encode() for line in written)), F.GAP)


def broken_link(scene: Scene, rng: Random) -> Tampered:
    case, place = _pick(scene, rng)
    line = _resigned(scene, case.lines[place], {"prev": b64(rng.randbytes(32))})
    return _is(case.put(place, line), F.BROKEN_CHAIN, also=(F.FORK,))


def other_numbers(scene: Scene, rng: Random) -> Tampered:
    """The same values in another spelling, as a careless or a dishonest signer has them."""
    case, place = _pick(scene, rng)
    line = case.lines[place]
    payload, seq = payload_of(line), payload_of(line)["seq"]
    canonical = dumps(payload)
    spelled = rng.choice(
        (
            canonical.replace(b'"v":1', b'"v":1.0'),
            canonical.replace(f'"seq":{seq}'.encode(), f'"seq":{seq}.0'.encode()),
            canonical.replace(f'"seq":{seq}'.encode(), f'"seq":{seq}e0'.encode()),
            canonical.replace(f'"seq":{seq}'.encode(), f'"seq":"{seq}"'.encode()),
            canonical.replace(b'"invite_people"', b'"\\u0069nvite_people"'),
            canonical.replace(b'"v":1', b'"v":1,"v":1'),
            canonical.replace(b'"v":1', b'"v":true'),
            canonical + b" ",
            json.dumps(payload, sort_keys=True).encode(),
            dumps(payload | {"note": "x"}),
            dumps({name: payload[name] for name in payload if name != "undo_ref"}),
            dumps(dict(reversed(payload.items()))).replace(b'"v":1', b'"v":2'),
            dumps(payload | {"seq": 2**53}),
        )
    )
    if rng.random() < 0.5:
        header, _, signature = jws_of(line).split(".")
        changed = line_of(f"{header}.{b64(spelled)}.{signature}")
        return _is(case.put(place, changed), F.NOT_CANONICAL, also=(F.BAD_SIGNATURE,))
    header_bytes = dumps(header_of(line))
    return _is(
        case.put(place, sealed(header_bytes, spelled, scene.private(header_of(line)["kid"]))),
        F.NOT_CANONICAL,
    )


def header_change(scene: Scene, rng: Random) -> Tampered:
    case, place = _pick(scene, rng)
    line = case.lines[place]
    header, payload = header_of(line), dumps(payload_of(line))
    changes: tuple[dict[str, Any], ...] = (
        {"alg": "none"},
        {"alg": "EdDSA"},
        {"alg": "HS256"},
        {"alg": "ES256"},
        {"typ": "JWT"},
        {"crit": ["exp"], "exp": 1},
        {"b64": False},
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": b64(rng.randbytes(32))}},
        {"kid": None},
        {"kid": ["x"]},
    )
    changed = dumps(header | rng.choice(changes))
    if rng.random() < 0.5:
        again = sealed(changed, payload, scene.private(header["kid"]))
        return _is(case.put(place, again), F.NOT_CANONICAL)
    parts = jws_of(line).split(".")
    resaid = line_of(f"{b64(changed)}.{parts[1]}.{parts[2]}")
    return _is(case.put(place, resaid), F.NOT_CANONICAL, also=(F.BAD_SIGNATURE,))


def malleable(scene: Scene, rng: Random) -> Tampered:
    """S + L instead of S; nothing; twice; the halves swapped."""
    case, place = _pick(scene, rng)
    head, _, text = jws_of(case.lines[place]).rpartition(".")
    raw = unb64(text)
    larger = int.from_bytes(raw[32:], "little") + ORDER
    forged = rng.choice(
        (raw[:32] + larger.to_bytes(32, "little"), b"", raw * 2, raw[32:] + raw[:32])
    )
    return _is(case.put(place, line_of(f"{head}.{b64(forged)}")), F.BAD_SIGNATURE)


def other_base64(scene: Scene, rng: Random) -> Tampered:
    case, place = _pick(scene, rng)
    parts = jws_of(case.lines[place]).split(".")
    at = rng.randrange(3)
    padded = base64.urlsafe_b64encode(unb64(parts[at])).decode()
    loose = [padded] if padded != parts[at] else []
    if len(parts[at]) % 4:
        last = ALPHABET.index(parts[at][-1])
        loose.append(parts[at][:-1] + ALPHABET[last + 1])
    loose.append(parts[at] + "=")
    loose.append(parts[at] + rng.choice((" ", "\\n", "!")))
    if set(parts[at]) & set("-_"):
        loose.append(parts[at].replace("-", "+").replace("_", "/"))
    parts[at] = rng.choice(loose)
    changed = case.put(place, line_of(".".join(parts)))
    return _is(changed, F.NOT_CANONICAL, also=(F.BAD_SIGNATURE,))


def wrong_root(scene: Scene, rng: Random) -> Tampered:
    """Signed by us over receipts that are not these."""
    return _is(_noted(scene, rng, root=rng.randbytes(32)), F.FORK)


def larger_size(scene: Scene, rng: Random) -> Tampered:
    return _is(_noted(scene, rng, grown=rng.randint(1, 500)), F.CUT_TAIL)


def _noted(scene: Scene, rng: Random, root: bytes | None = None, grown: int = 0) -> Case:
    case = scene.case
    key = rng.choice(list(scene.ring.keys().values()))
    assert key.private is not None
    count = len(case.receipts("acme"))
    size = count + grown if grown else rng.randint(1, count)
    checkpoint = notes.Checkpoint("acme", size, root or rng.randbytes(32))
    note = notes.write(checkpoint, key.raw, key.private.sign)
    if rng.random() < 0.5:
        return replace(case, notes=(note,))
    return replace(case, lines=(*case.lines, lines.write("checkpoint", note).encode()))


def foreign_line(scene: Scene, rng: Random) -> Tampered:
    case, place = _pick(scene, rng)
    foreign = rng.choice(
        (
            b"\n",
            b"{}\n",
            b'{"receipt":""}\n',
            b'{"receipt":null}\n',
            b'{"checkpoint":""}\n',
            b'{"checkpoint":1}\n',
            b"[" * 70_000 + b"\n",
            b"\xff\xfe\n",
            case.lines[place].replace(b'":"', b'": "'),
            case.lines[place][:-1] + b"\r\n",
        )
    )
    return _is(case.put(place, foreign, case.lines[place]), F.NOT_CANONICAL)


def journal_row(scene: Scene, rng: Random) -> Tampered:
    rows = [dict(row) for row in scene.rows]
    place = rng.randrange(len(rows))
    row = rows[place]
    match rng.randrange(6):
        case 0:
            row["args"] = {**row["args"], "role": "admin"}
        case 1:
            row["salt"] = b64(rng.randbytes(16))
        case 2:
            row["outcome"] = "failed"
        case 3:
            row["tool"] = "delete_everything"
        case 4:
            rows.append({**row, "seq": row["seq"] + 1000})
        case _:
            rows.pop(place)
    return _is(replace(scene.case, rows=tuple(rows)), F.JOURNAL_MISMATCH)


def _resigned(scene: Scene, line: bytes, changes: Mapping[str, Any]) -> bytes:
    header = header_of(line)
    payload = payload_of(line) | dict(changes)
    return sealed(dumps(header), dumps(payload), scene.private(header["kid"]))


KINDS: Mapping[str, Callable[[Scene, Random], Tampered]] = {
    "flip header": _flip_segment(0),
    "flip payload": _flip_segment(1),
    "flip signature": _flip_segment(2),
    "flip bit": flip_bit,
    "flip checkpoint": flip_checkpoint,
    "drop": drop,
    "cut tail": cut_tail,
    "duplicate": duplicate,
    "reorder": reorder,
    "other tenant's line": other_tenants_line,
    "rename tenant": rename_tenant,
    "rename log": rename_log,
    "stranger's signature": strangers_signature,
    "our other key": our_other_key,
    "stranger's key": strangers_key,
    "key left out": key_left_out,
    "second receipt": second_receipt,
    "rewritten history": rewritten_history,
    "skipped number": skipped_number,
    "broken link": broken_link,
    "other numbers": other_numbers,
    "header change": header_change,
    "malleable signature": malleable,
    "other base64": other_base64,
    "wrong root": wrong_root,
    "larger size": larger_size,
    "foreign line": foreign_line,
    "journal row": journal_row,
}
