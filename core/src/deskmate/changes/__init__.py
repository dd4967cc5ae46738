"""Granted folders on the host: scan, review, apply, undo. Bytes, text and digests only."""
