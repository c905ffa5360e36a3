"""The formats a report is written in: one file a format, found and never listed."""
