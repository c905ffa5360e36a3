"""A script that takes any dataset by its name."""

import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--dataset")
