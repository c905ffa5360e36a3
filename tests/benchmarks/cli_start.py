"""How long repcheck takes to start, beside a process that only imports click, yaml and pydantic.

python tests/benchmarks/cli_start.py --json [--quick]
"""

from __future__ import annotations

import sys

from _bench import Figure, figure, in_turn, present, repcheck

RIVAL = "import click, yaml, pydantic"
LINTED = "claims_examples/mnist1d/claims.yaml"
GOALS = {("--help",): 1.5, ("lint", LINTED): 2.5}


def measure(quick: bool) -> list[Figure]:
    """Return one ratio a command."""
    figures = []
    for arguments, goal in GOALS.items():
        rival = [sys.executable, "-c", RIVAL]
        ratio, _, theirs = in_turn(repcheck(*arguments), rival, 9 if quick else 41)
        name = f"repcheck {' '.join(arguments)}, times its imports alone"
        about = {"rival": f"python -c '{RIVAL}'", "rival_value": round(theirs, 4)}
        figures.append(figure(name, ratio, "ratio", goal, **about))
    return figures


if __name__ == "__main__":
    present(__doc__, measure)
