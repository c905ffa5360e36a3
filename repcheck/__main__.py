"""`python -m repcheck` is `repcheck`."""

from repcheck.cli import main

if __name__ == "__main__":
    main()
