"""What an artifact's Python source shows by its syntax; nothing of it is executed or imported."""
