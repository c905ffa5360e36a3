"""Compute: epochs, batches, FLOPs and parameters that do not match (tricks 1.1-1.9)."""
