"""The ways to execute a plan; a file here is found, never listed."""
