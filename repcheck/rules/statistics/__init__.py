"""Statistics and number forensics: arithmetic on what is printed (RC9nn).

The codes follow the list of consistency checks of the claims format. RC907 is kept free: that the
methods, metrics and datasets of a claim exist is checked when the file is loaded, and a file that
names something unknown never reaches a rule.
"""
