"""A script that knows the datasets of its paper."""

import argparse

from models import build
from sklearn.datasets import load_digits

parser = argparse.ArgumentParser()
parser.add_argument("--dataset", choices=["digits", "all"])
parser.add_argument("--data-dir", choices=["ssd", "disk"])
parser.add_argument("--task", choices=["train", "score"])
build(load_digits())
