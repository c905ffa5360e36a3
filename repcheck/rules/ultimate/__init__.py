"""Ultimate methods (tricks 6.1-6.3)."""
