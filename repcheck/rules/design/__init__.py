"""Incremental design (tricks 4.1-4.8)."""
