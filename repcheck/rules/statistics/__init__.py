"""Statistics and number forensics: arithmetic on what is printed (RC9nn)."""
