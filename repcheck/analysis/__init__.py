"""From the record of one run to an observation: read, count, compare."""
