"""repcheck as its users start it: a process of its own, on artifacts that take milliseconds."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
REPCHECK = (sys.executable, "-m", "repcheck")

# Scores of any seed: 93 and 88 and a spread of half a point; a file of data is read for them.
SCORE = """
    import json, random, sys
    method, seed, out = sys.argv[1], sys.argv[2], sys.argv[3]
    open("data.csv").close()
    mean = {"ours": 93.0, "base": 88.0}[method]
    score = mean + random.Random(method + seed).gauss(0, 0.5)
    json.dump({"acc": score}, open(out + "/m.json", "w"))
"""
CLAIMS = """
    repcheck: 1
    paper: {title: "Tiny"}
    artifact: {root: art}
    methods:
      ours: {role: proposed, train: {command: "python train.py ours {seed} {out}", epochs: 10}}
      base: {role: baseline, train: {command: "python train.py base {seed} {out}", epochs: 10}}
    metrics:
      acc: {higher_is_better: true, unit: percent, from: "{out}/m.json:acc"}
    results:
      - {method: ours, metric: acc, mean: 93.0, std: 0.5, std_kind: sample, n: 5}
      - {method: base, metric: acc, mean: 88.0, std: 0.5, std_kind: sample, n: 5}
    claims:
      - {id: C1, text: "ours beats base by 5 points", method: ours, baselines: [base], metric: acc,
         improvement: 5.0}
"""
# One arm, one claim of a value: half the runs.
VALUE = """
    repcheck: 1
    artifact: {root: art}
    methods:
      ours: {role: proposed, train: {command: "python train.py ours {seed} {out}"}}
    metrics:
      acc: {higher_is_better: true, unit: percent, from: "{out}/m.json:acc"}
    results:
      - {method: ours, metric: acc, mean: 93.0, std: 0.5, std_kind: sample, n: 5}
    claims:
      - {id: C1, text: "ours has 93 %", method: ours, metric: acc, value: 93.0}
"""


def paper(folder: Path, claims: str = CLAIMS, script: str = SCORE) -> Path:
    """Make a claims file and, beside it, the artifact in `art/`; return the claims file."""
    art = folder / "art"
    art.mkdir(parents=True, exist_ok=True)
    (art / "train.py").write_text(textwrap.dedent(script))
    (art / "data.csv").write_text("1,0\n")
    file = folder / "claims.yaml"
    file.write_text(textwrap.dedent(claims).lstrip("\n"))
    return file


def environment(**more: str) -> dict[str, str]:
    left_out = {"NO_COLOR", "FORCE_COLOR", "COLUMNS"}
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return kept | {"PYTHONPATH": str(ROOT), **more}


def repcheck(
    *words: object, cwd: Path, timeout: float = 60, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command without a terminal, in a session of its own, and never see a traceback."""
    done = subprocess.run(
        [*REPCHECK, *map(str, words)],
        cwd=cwd,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        start_new_session=True,
    )
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    assert done.returncode != 70, done.stderr
    return done


def started(*words: object, cwd: Path, **more: str) -> subprocess.Popen[str]:
    """Start a command and leave it alone."""
    return subprocess.Popen(
        [*REPCHECK, *map(str, words)],
        cwd=cwd,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def at_terminal(
    *words: object, cwd: Path, answers: Sequence[str] = (), timeout: float = 60, **more: str
) -> tuple[int, str]:
    """Run a command at a pseudo-terminal, answer each question, return exit code and screen."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*REPCHECK, *map(str, words)],
        cwd=cwd,
        env=environment(TERM="xterm-256color", **more),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    screen, waiting, deadline = "", list(answers), time.monotonic() + timeout
    try:
        while time.monotonic() < deadline:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    part = os.read(ours, 65536)
                except OSError:  # Linux says so when the last writer is gone
                    break
                if not part:
                    break
                screen += part.decode("utf-8", errors="replace")
            if waiting and screen.rstrip().endswith("[y/N]:"):
                os.write(ours, waiting.pop(0).encode())
        return process.wait(timeout=10), screen
    finally:
        process.kill()
        os.close(ours)


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def report(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def results(folder: Path) -> list[Path]:
    """Return the stored results of a check's folder."""
    return sorted((folder / "store" / "runs").glob("??/*/result.json"))


def unseen(screen: str) -> str:
    """Return what a screen says, without what only a terminal sees."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen)
