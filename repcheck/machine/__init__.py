"""What touches the machine: trees of files, processes, locks, and JSON on disk."""
