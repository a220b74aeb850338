"""Receipts per second: signed, and verified at both depths from a file, on one core.

    python benchmarks/receipts.py                    # 100,000
    python benchmarks/receipts.py --count 1000000    # the aim: at most 60 s, at most 1 KB each

Receipts and checkpoints are real ones, of the length that real ones have. The baseline is the check
of every signature on the first part of the same chain; joserfc is what sealing is compared with.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from joserfc import jws
from joserfc.jwk import OKPKey

from tests.tools.receipts.chains import Signed, chain_lines, open_ring, payload
from tools.canonical import canonical
from tools.receipts.checkpoints import EVERY
from tools.receipts.keys import KeyRing
from tools.receipts.sealing import TYPE
from tools.receipts.verify import Depth, verify_file

BASELINE = 20_000
"""Receipts whose every signature is checked for the baseline."""
AIM_S, AIM_COUNT = 60.0, 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="where the files go; not kept if not given")
    given = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        run(Path(folder), given.count)


def run(folder: Path, count: int) -> None:
    ring = open_ring(folder / "keys")
    time.sleep(1.1)  # a ring that has just changed is read again for every signature
    row("joserfc sign", *joserfc_signing(ring))
    started = time.perf_counter()
    size, longest = write(folder / "chain.jsonl", ring, count)
    row("sign, chain, write", count, time.perf_counter() - started)
    write(folder / "head.jsonl", ring, min(count, BASELINE))
    jwks = json.dumps(ring.jwks())
    baseline = timed(folder / "head.jsonl", jwks, Depth.EVERY_SIGNATURE, min(count, BASELINE))
    merkle = timed(folder / "chain.jsonl", jwks, Depth.MERKLE, count)
    print(f"ratio                {merkle / baseline:10.1f}")
    print(f"bytes of a receipt   {size:10,} mean, {longest:,} longest")
    print(f"at {merkle:,.0f}/s {AIM_COUNT:,} take {AIM_COUNT / merkle:.1f} s (aim {AIM_S:.0f} s)")
    print(f"peak memory          {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


def joserfc_signing(ring: KeyRing) -> tuple[int, float]:
    key = ring.signer(datetime.now(UTC))
    assert key.private is not None
    private, header = OKPKey.import_key(key.private), {"alg": key.alg, "kid": key.kid, "typ": TYPE}
    started = time.perf_counter()
    for seq in range(5000):
        data = canonical(payload("acme", seq, "p" * 43))
        jws.serialize_compact(header, data, private, algorithms=[key.alg])
    return 5000, time.perf_counter() - started


def write(file: Path, ring: KeyRing, count: int) -> tuple[int, int]:
    """Mean and greatest length of a receipt."""
    total = longest = 0
    with file.open("w", encoding="utf-8") as stream:
        for line in chain_lines(Signed("acme", ring), count, EVERY):
            stream.write(line)
            if line.startswith('{"receipt"'):
                length = len(json.loads(line)["receipt"])
                total, longest = total + length, max(longest, length)
    return total // count, longest


def timed(file: Path, jwks: str, depth: Depth, count: int) -> float:
    """Receipts per second."""
    started = time.perf_counter()
    report = verify_file(file, jwks, depth=depth)
    took = time.perf_counter() - started
    assert report.ok, report.failures
    assert report.receipts == count
    row(f"verify {depth.value}", count, took)
    return count / took


def row(what: str, count: int, took: float) -> None:
    print(f"{what:24} {count:>10,} in {took:7.2f} s {count / took:>10,.0f}/s", flush=True)


if __name__ == "__main__":
    main()
