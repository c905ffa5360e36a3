"""A script whose options name what it can be trained on."""

import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--dataset", choices=["digits", "wine", "breast_cancer"])
parser.add_argument("--out")
