"""The command of the kill loop: prints what was found, exits 1 when anything is wrong."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.e2e.killing.checks import Findings, percentile
from tests.e2e.killing.driver import KillLoop
from tests.e2e.killing.parts import journal_urls
from tests.e2e.killing.worker import PATIENCE

RECOVERED_S = 2.0
SURFACED_S = 5.0
"""Safety reference, section 14, rows 12 and 13."""


def report(name: str, found: Findings) -> str:
    """One paragraph a run."""
    recovered = found.after_restart
    states = ", ".join(f"{state} {n}" for state, n in sorted(found.states.items()))
    return (
        f"{name}: {found.kills} kills in {found.took_s:.0f} s at {len(found.points)} points"
        f" (never at {', '.join(found.missed) or 'none left out'})"
        f" ({found.points['at_random']} at random moments)\n"
        f"  {found.accepted} accepted actions: {states}\n"
        f"  target: {found.calls} calls, {found.effects} effects; {found.receipts} receipts\n"
        f"  recovery of {len(recovered)} interrupted actions: from restart"
        f" p50 {percentile(recovered, 0.5):.3f} s, p99 {percentile(recovered, 0.99):.3f} s;"
        f" from death p50 {percentile(found.after_death, 0.5):.3f} s,"
        f" p99 {percentile(found.after_death, 0.99):.3f} s\n"
        f"  work took {found.crowding:.1f} times its processor time\n"
        f"  from a cold start of the interpreter to the first claim: {found.cold_s:.2f} s\n"
        f"  unknown told to a person: {len(found.surfaced)},"
        f" slowest after {max(found.surfaced, default=0.0):.2f} s\n"
        f"  wrong: {len(found.wrong)}" + "".join(f"\n    {each}" for each in found.wrong[:20])
    )


def too_slow(found: Findings, slack: float = 1.0) -> bool:
    """As measured; `slack` stretches the limits for a machine that others use too."""
    recovered = percentile(found.after_restart, 0.99)
    surfaced = max(found.surfaced, default=0.0)
    return recovered > RECOVERED_S * slack or surfaced > SURFACED_S * slack


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.e2e.killing", description=__doc__)
    options.add_argument("--kills", type=int, default=300)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--journal", choices=("sqlite", "postgres", "both"), default="both")
    options.add_argument("--target", choices=("harbor", "counting"), default="harbor")
    options.add_argument("--lease-s", type=float, default=PATIENCE.lease_s)
    chosen = options.parse_args()
    failed = False
    for name in ("sqlite", "postgres") if chosen.journal == "both" else (chosen.journal,):
        share = chosen.kills // (2 if chosen.journal == "both" else 1)
        with tempfile.TemporaryDirectory() as folder, journal_urls(name, Path(folder)) as url:
            loop = KillLoop(url, Path(folder), share, chosen.seed, chosen.target, chosen.lease_s)
            found = loop.run()
        sys.stdout.write(f"seed {chosen.seed}, {chosen.target}, {report(name, found)}\n")
        failed |= bool(found.wrong) or too_slow(found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
