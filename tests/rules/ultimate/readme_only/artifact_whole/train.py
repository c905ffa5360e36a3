import argparse

from models import build


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model")
    parser.add_argument("--out")
    build(parser.parse_args().model)


if __name__ == "__main__":
    main()
