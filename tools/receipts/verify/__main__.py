"""`python -m verify FILE --keys jwks.json`: exit 0 when all holds, 1 when not, 2 unreadable."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .journal import Journal
from .result import Depth, InputError, Report
from .run import Outside, verify_file

SCHEMA_VERSION = 1


def document(report: Report) -> dict[str, object]:
    """What `--json` prints; documented in docs/receipts.md."""
    return {
        "schema_version": SCHEMA_VERSION,
        "ok": report.ok,
        "depth": report.depth.value,
        "receipts": report.receipts,
        "checkpoints": report.checkpoints,
        "signatures_checked": report.signatures,
        "heads": dict(report.heads),
        "failures": [
            {
                "class": failure.failed.value,
                "line": failure.line,
                "tenant": failure.tenant,
                "seq": failure.seq,
                "detail": failure.detail,
            }
            for failure in report.failures
        ],
    }


def read_outside(checkpoints: list[Path], journal: Path | None) -> Outside:
    """Raises InputError."""
    try:
        notes = tuple(path.read_text(encoding="utf-8") for path in checkpoints)
        if journal is None:
            return Outside(notes)
        with journal.open(encoding="utf-8") as dump:
            return Outside(notes, Journal.load(dump))
    except OSError as failure:
        raise InputError(f"{failure.filename}: {failure.strerror}") from failure
    except UnicodeDecodeError as failure:
        raise InputError(f"not UTF-8 text: {failure}") from failure


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="verify", description="Verify exported receipts.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--keys", type=Path, required=True, help="the operator's JWKS, as a file")
    parser.add_argument("--checkpoint", type=Path, action="append", default=[])
    parser.add_argument("--journal", type=Path, help="dump of the journal, with salts")
    parser.add_argument("--every-signature", action="store_true")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main() -> int:
    given = _arguments()
    depth = Depth.EVERY_SIGNATURE if given.every_signature else Depth.MERKLE
    try:
        outside = read_outside(given.checkpoint, given.journal)
        keys = given.keys.read_text(encoding="utf-8")
        report = verify_file(given.file, keys, outside, depth)
    except (InputError, OSError) as failure:
        sys.stderr.write(f"error: {failure}\n")
        return 2
    if given.json:
        sys.stdout.write(json.dumps(document(report), indent=2) + "\n")
    else:
        sys.stdout.write(summary(report))
    return 0 if report.ok else 1


def summary(report: Report) -> str:
    """For people."""
    said = [
        f"{failure.failed.value}: {failure.detail}"
        + (f" (line {failure.line})" if failure.line else "")
        for failure in report.failures
    ]
    verdict = "everything holds" if report.ok else f"{len(said)} things do not hold"
    counts = f"{report.receipts} receipts, {report.checkpoints} checkpoints"
    return "\n".join([*said, f"{verdict}: {counts}, {report.signatures} signatures checked\n"])


if __name__ == "__main__":
    sys.exit(main())
