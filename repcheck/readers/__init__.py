"""The ways to find a number in what a run left; a file here is found, never listed."""
