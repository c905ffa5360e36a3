"""Left by the template that this artifact was made from; no command reaches it."""

from sklearn.datasets import load_iris, load_wine

LOADERS = {"iris": load_iris, "wine": load_wine}
