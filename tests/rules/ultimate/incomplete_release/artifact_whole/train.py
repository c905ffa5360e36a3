import argparse

from nets.blocks import build

try:  # noqa: SIM105
    from nets.fast import build
except ImportError:
    pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model")
    parser.add_argument("--out")
    build(parser.parse_args().model)


if __name__ == "__main__":
    main()
