"""Reads what a probe wrote; see `inside/RECORD.md`. Nothing in a record is trusted."""
