"""Small modifications of the model or the data (tricks 3.1-3.6)."""
