"""Which datasets an artifact's own files name; nothing of the artifact is executed or imported."""
