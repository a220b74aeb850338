"""Receipts checked without us: the standard library and `cryptography`, nothing else.

The folder stands alone: copied anywhere, `python -m verify FILE --keys jwks.json` runs it.
docs/receipts.md says what a file holds and what each class of failure means.
"""

from .result import Depth, Failed, Failure, InputError, Report
from .run import Outside, verify_file

__all__ = ["Depth", "Failed", "Failure", "InputError", "Outside", "Report", "verify_file"]
