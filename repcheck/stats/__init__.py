"""The statistics of a verdict: pure functions on numbers.

Nothing in this folder reads a file, draws a random number of its own or knows what a claims file
is. Import the module you need (`compare`, `decide`, `sample_size`, ...); importing `repcheck.stats`
itself loads nothing.
"""
