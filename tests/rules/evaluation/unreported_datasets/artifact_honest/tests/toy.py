"""A test on toy data."""

from sklearn.datasets import load_iris

load_iris()
