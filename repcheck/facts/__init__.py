"""Everything that can be drawn from claims and runs, one measured thing a file."""
