"""What the paper says: the claims file, parsed, checked, with the place of every key kept."""
