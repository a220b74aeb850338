"""Addresses of crypto-currency wallets."""

import hashlib

from guardrails.recognizers.base import Candidate, Recognizer, Shape

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_SUMS = (1, 0x2BC830A3)  # BIP-173, BIP-350


def _base58check(candidate: Candidate) -> bool:
    number = 0
    for char in candidate.value:
        number = number * 58 + _BASE58.index(char)
    raw = number.to_bytes(25, "big") if number < 1 << 200 else b""
    digest = hashlib.sha256(hashlib.sha256(raw[:21]).digest()).digest()
    return len(raw) == 25 and digest[:4] == raw[21:]  # noqa: PLR2004 - 1 + 20 + 4 bytes


def _bech32(candidate: Candidate) -> bool:
    prefix, _, data = candidate.value.lower().rpartition("1")
    if any(char not in _BECH32 for char in data):
        return False
    expanded = [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]
    return _polymod([*expanded, *(_BECH32.index(char) for char in data)]) in _BECH32_SUMS


def _polymod(values: list[int]) -> int:
    generator = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, factor in enumerate(generator):
            checksum ^= factor if top >> bit & 1 else 0
    return checksum


CRYPTO = Recognizer(
    "CRYPTO",
    (
        Shape(r"\b([13][1-9A-HJ-NP-Za-km-z]{25,34})\b", 0.95, check=_base58check),
        Shape(r"(?i)\b((?:bc|tb|ltc)1[ac-hj-np-z02-9]{11,87})\b", 0.95, ("1",), _bech32),
        Shape(r"\b(0x[0-9a-fA-F]{40})\b", 0.8, ("0x",)),
    ),
)
