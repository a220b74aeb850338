"""Signed, chained receipts: keys, sealing, checkpoints, export, and verification offline."""
