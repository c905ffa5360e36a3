import argparse

from models import build
from nets.attention import Attention
from trainer import train


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model")
    parser.add_argument("--out")
    train(build(parser.parse_args().model), Attention)


if __name__ == "__main__":
    main()
