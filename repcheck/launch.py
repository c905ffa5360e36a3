"""The environment that puts the probe in front of an artifact's Python, and reads it back."""
