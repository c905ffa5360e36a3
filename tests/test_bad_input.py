"""Bad input through the real command line: a clear error, the right exit code, nothing lost."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_support import CLAIMS, SCORE, VALUE, paper, repcheck, report, results, started, until

SEVERAL = 6  # five seeds, the first of them twice


# --- claims files -------------------------------------------------------------------------------

BOMB = "repcheck: 1\nx-a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n" + "".join(
    f"x-{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def changed(old: str, new: str) -> str:
    text = textwrap.dedent(CLAIMS).lstrip("\n")
    assert old in text
    return text.replace(old, new)


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


BAD_FILES = {
    "not YAML": ("repcheck: 1\nclaims: [}\n", "claims.yaml:2:", "not YAML"),
    "prose": ("Dear reviewer, here are our claims.\n", "claims.yaml:1:1", "mapping of keys"),
    "empty": ("", "claims.yaml:1:1", "the file is empty"),
    "binary": ("\x00\x01\x02", "claims.yaml:1:1", "U+0000"),
    "alias bomb": (BOMB, "claims.yaml:", "aliases"),
    "duplicate key": (
        changed("paper:", "artifact: {root: code}\npaper:"),
        "claims.yaml:4:1",
        "the key `artifact` stands twice; the first is at 2:1",
    ),
    "tab": (changed("  ours: {role", "\tours: {role"), "claims.yaml:5:", "indent with spaces"),
    "wrong type": (changed("n: 5}", "n: five}"), "claims.yaml:10:", "results[0].n"),
    "text for a number": (changed("epochs: 10", "epochs: ten"), "claims.yaml:5:", "epochs"),
    "list for a mapping": (changed("paper: {title: \"Tiny\"}", "paper: [Tiny]"),
                           "claims.yaml:2:8", "paper"),
    "unknown key": (changed("epochs: 10", "epoch: 10"), "claims.yaml:5:", "did you mean `epochs`?"),
    "NaN": (changed("mean: 93.0", "mean: .nan"), "claims.yaml:10:", "results[0].mean"),
    "infinity": (changed("std: 0.5", "std: .inf"), "claims.yaml:10:", "results[0].std"),
    "overflow": (changed("mean: 93.0", "mean: 1e999"), "claims.yaml:10:", "results[0].mean"),
    "negative epochs": (changed("epochs: 10", "epochs: -10"), "claims.yaml:5:", "epochs"),
    "null": (changed("epochs: 10", "epochs: null"), "claims.yaml:5:", "epochs"),
    "braces unquoted": (
        changed('from: "{out}/m.json:acc"', "from: {out}/m.json:acc"),
        "claims.yaml:8:",
        "quote values that contain braces",
    ),
    "unknown method": (changed("baselines: [base]", "baselines: [bass]"),
                       "claims.yaml:13:", "did you mean `base`?"),
    "placeholder without value": (changed("ours {seed} {out}", "ours {sead} {out}"),
                                  "claims.yaml:5:", "{sead}"),
    "no claims": ("repcheck: 1\nmethods: {ours: {role: proposed}}\n", "claims.yaml:", "claims"),
    "newer format": (changed("repcheck: 1", "repcheck: 2"), "claims.yaml:1:11", "upgrade"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_claims_file_is_refused_with_place_reason_and_remedy(
    kind: str, tmp_path: Path
) -> None:
    text, place, words = BAD_FILES[kind]
    (tmp_path / "art").mkdir()
    (tmp_path / "claims.yaml").write_text(text)
    done = repcheck("lint", "claims.yaml", cwd=tmp_path, timeout=20)
    assert done.returncode == 4, done.stdout + done.stderr
    *problems, sums = done.stdout.splitlines()
    assert any(one.startswith(place) and words in one for one in problems), done.stdout
    assert all(re.match(r"claims\.yaml:\d+:\d+: .+", one) for one in problems)
    assert sums.startswith(f"claims.yaml: {len(problems)} problem")


@pytest.mark.parametrize("kind", ["not YAML", "alias bomb", "negative epochs"])
def test_check_says_the_same_and_writes_nothing(kind: str, tmp_path: Path) -> None:
    text, place, words = BAD_FILES[kind]
    (tmp_path / "claims.yaml").write_text(text)
    done = repcheck("check", "--yes", "claims.yaml", "-o", "out", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith(place)
    assert words in done.stderr
    assert not (tmp_path / "out").exists()


def test_all_problems_are_said_at_once(tmp_path: Path) -> None:
    text = CLAIMS.replace("epochs: 10", "epochs: -1").replace("n: 5}", "n: five}")
    paper(tmp_path, text.replace("title:", "titel:"))
    done = repcheck("lint", "claims.yaml", cwd=tmp_path)
    assert done.returncode == 4
    assert "claims.yaml: 5 problems" in done.stdout


def test_a_folder_is_no_claims_file(tmp_path: Path) -> None:
    for verb in ("lint", "plan", "check"):
        done = repcheck(verb, tmp_path, cwd=tmp_path)
        assert done.returncode == 4
        assert "is a folder; name the claims file in it" in done.stdout + done.stderr


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = repcheck("check", "claims.yml", cwd=tmp_path)
    assert done.returncode == 4
    assert done.stderr.startswith("claims.yml:1:1: there is no such file")


def test_a_hundred_megabytes_are_refused_at_once_and_never_read(tmp_path: Path) -> None:
    with (tmp_path / "claims.yaml").open("wb") as file:
        file.truncate(100_000_000)
    begun = time.monotonic()
    done = repcheck("check", "--yes", "claims.yaml", cwd=tmp_path, timeout=20)
    assert done.returncode == 4
    assert "is larger than 16 MB; is this a claims file?" in done.stderr
    assert time.monotonic() - begun < 10


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "claims.yaml")
    done = repcheck("lint", "claims.yaml", cwd=tmp_path, timeout=20)
    assert done.returncode == 4
    assert "is not a regular file" in done.stdout


def test_a_root_that_is_not_there_is_said_before_anything_runs(tmp_path: Path) -> None:
    paper(tmp_path, CLAIMS.replace("root: art", "root: nowhere"))
    done = repcheck("check", "--yes", "claims.yaml", "-o", "out", cwd=tmp_path)
    assert done.returncode in {2, 4}
    assert "artifact.root" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


# --- commands that misbehave --------------------------------------------------------------------

FLOOD = "import sys\nwhile True: sys.stdout.write('x' * 1_000_000)"
KILL_GROUP = "import os, signal; os.killpg(os.getpgid(os.getppid()), signal.SIGKILL)"
BAD_COMMANDS = {
    "exits 1": ("import sys; sys.exit('no such luck')", "nonzero", "exited with 1: no such luck"),
    "hangs": ("import time; time.sleep(600)", "timeout", "longer than the time limit of 1 s"),
    "floods stdout": (FLOOD, "nonzero", "printed more than 64 MiB"),
    "writes no metric": ("print('done')", "no_metric", "m.json"),
    "garbage JSON": (
        "import sys; open(sys.argv[3] + '/m.json', 'w').write('{\"acc\": 9')",
        "no_metric",
        "m.json",
    ),
    "NaN": (
        "import sys; open(sys.argv[3] + '/m.json', 'w').write('{\"acc\": NaN}')",
        "no_metric",
        "m.json",
    ),
    "kills its parent's group": (KILL_GROUP, "nonzero", "SIGKILL"),
}


@pytest.mark.parametrize("kind", BAD_COMMANDS)
def test_a_command_that_fails_each_time_ends_in_not_run_and_exit_5(
    kind: str, tmp_path: Path
) -> None:
    script, status, words = BAD_COMMANDS[kind]
    paper(tmp_path, VALUE, script)
    limit = ("--time-limit", "1") if kind == "hangs" else ()
    done = repcheck("check", "-y", "claims.yaml", "-o", "out", "--seeds", "2", *limit, cwd=tmp_path)
    assert done.returncode == 5, done.stderr
    found = report(tmp_path / "out")
    assert [run["status"] for run in found["runs"]] == [status] * 3
    assert all(words in run["reason"] for run in found["runs"])
    assert words in done.stderr
    [claim] = found["claims"]
    assert claim["reproduction"]["verdict"] == "not-run"
    assert claim["reproduction"]["detail"] == "not-reproducible-as-supplied"
    assert "3 runs: 0 ended well, 3 failed" in done.stdout
    assert (tmp_path / "out" / "report.html").exists()


def test_a_command_that_does_not_exist_is_named_with_where_it_was_looked_for(
    tmp_path: Path,
) -> None:
    paper(tmp_path, VALUE.replace("python train.py", "pyhton train.py"))
    done = repcheck("check", "-y", "claims.yaml", "-o", "out", "--seeds", "2", cwd=tmp_path)
    assert done.returncode == 5
    assert "the command `pyhton` was not found; searched: " in done.stderr
    assert {run["status"] for run in report(tmp_path / "out")["runs"]} == {"not_started"}


def test_failures_are_results_until_they_are_asked_for_again_and_stay_counted(
    tmp_path: Path,
) -> None:
    flag = tmp_path / "mended"
    script = f"import os, sys\nif not os.path.exists({str(flag)!r}): sys.exit('broken')\n"
    paper(tmp_path, VALUE, script + textwrap.dedent(SCORE))
    words = ("check", "-y", "claims.yaml", "-o", "out", "--seeds", "3")
    assert repcheck(*words, cwd=tmp_path).returncode == 5
    flag.touch()
    assert repcheck(*words, cwd=tmp_path).returncode == 5
    done = repcheck(*words, "--rerun", "failed", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert [run["attempts"] for run in report(tmp_path / "out")["runs"]] == [2, 2, 2, 2]


# --- seeds that fail ----------------------------------------------------------------------------


def with_crashes(folder: Path, count: int) -> tuple[int, dict[str, object], list[str]]:
    """Check a value claim whose first `count` of five seeds crash."""
    paper(folder, VALUE, SCORE)
    plan = repcheck("plan", "claims.yaml", "--format", "jsonl", cwd=folder).stdout
    found = re.search(r'"fresh_seeds": \[([0-9, ]+)\]', plan)
    assert found is not None
    unlucky = found[1].split(", ")[:count]
    # The seeds do not depend on the code, so that the code may know them.
    crash = f"    import sys\n    if sys.argv[2] in {unlucky!r}: sys.exit('crashed')\n"
    paper(folder, VALUE, crash + SCORE)
    done = repcheck("check", "-y", "claims.yaml", "-o", "out", cwd=folder)
    made = report(folder / "out")
    first = [run["status"] for run in made["runs"] if not run["replicate"]]
    assert first.count("nonzero") == count
    said = [*made["claims"][0]["reproduction"]["caveats"], made["claims"][0]["headline"]]
    return done.returncode, made["claims"][0]["reproduction"], said


def test_one_crash_of_five_is_counted_and_the_verdict_stands(tmp_path: Path) -> None:
    code, found, said = with_crashes(tmp_path, 1)
    assert code == 5
    assert found["verdict"] == "reproduced"
    assert any("crash" in one or "failed" in one for one in said), said


def test_two_crashes_of_five_leave_it_open(tmp_path: Path) -> None:
    code, found, said = with_crashes(tmp_path, 2)
    assert code == 5
    assert found["verdict"] == "inconclusive"
    assert any("crash" in one or "failed" in one for one in said), said


def test_all_crashes_are_not_reproducible_as_supplied(tmp_path: Path) -> None:
    code, found, _ = with_crashes(tmp_path, 5)
    assert code == 5
    assert found["verdict"] == "not-run"
    assert found["detail"] == "not-reproducible-as-supplied"
    assert "all 5 runs of `ours` failed" in str(found["rule"])


# --- folders and disks --------------------------------------------------------------------------


def test_a_file_in_place_of_the_output_folder_is_said(tmp_path: Path) -> None:
    paper(tmp_path, VALUE)
    (tmp_path / "out").write_text("a file")
    done = repcheck("check", "-y", "-q", "claims.yaml", "-o", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("out")
    assert "choose another folder with --out" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert (tmp_path / "out").read_text() == "a file"


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB, with the paper outside of it."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("NOT TESTED: this machine does not let us mount a file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_read_only_output_folder_is_said_and_nothing_runs(tmpfs: Path, tmp_path: Path) -> None:
    paper(tmp_path, VALUE, f"open({str(tmp_path / 'ran')!r}, 'w')")
    subprocess.run(["mount", "-o", "remount,ro", str(tmpfs)], check=True)
    for verb in ("run", "check"):
        done = repcheck(verb, "-y", "-q", "claims.yaml", "-o", tmpfs / "out", cwd=tmp_path)
        assert done.returncode == 2
        assert "cannot be written (Read-only file system)" in done.stderr
        assert "--out" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_a_full_disk_is_said_and_what_is_finished_is_kept(tmpfs: Path, tmp_path: Path) -> None:
    paper(tmp_path, VALUE)
    words = ("check", "-y", "-q", "claims.yaml", "-o", tmpfs / "out", "--seeds", "3")
    # 8 MiB are less than a run has to leave free: nothing begins.
    done = repcheck(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "MiB are free" in done.stderr
    assert "make room" in done.stderr
    assert results(tmpfs / "out") == []
    subprocess.run(["mount", "-o", "remount,size=200m", str(tmpfs)], check=True)
    assert repcheck(*words, cwd=tmp_path).returncode in {0, 1}
    before = (tmpfs / "out" / "report.json").read_bytes()
    subprocess.run(["mount", "-o", "remount,size=1m", str(tmpfs)], check=True)
    full = subprocess.run(["sh", "-c", f"cat /dev/zero > {tmpfs}/filler"], capture_output=True)
    assert full.returncode != 0
    done = repcheck("report", tmpfs / "out", "-q", cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot be written (No space left on device)" in done.stderr
    assert (tmpfs / "out" / "report.json").read_bytes() == before
    assert not list((tmpfs / "out").glob(".*.new"))
    (tmpfs / "filler").unlink()
    assert repcheck("report", tmpfs / "out", "-q", cwd=tmp_path).returncode in {0, 1}
    assert len(results(tmpfs / "out")) == 4


# --- company and interruption -------------------------------------------------------------------


def counting(folder: Path, seconds: float) -> Path:
    """Make a paper whose runs take some time and write a line each; return where they write."""
    lines = folder / "lines"
    slow = f"""
        import os, sys, time
        line = os.open({str(lines)!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(line, (sys.argv[2] + "\\n").encode())
        time.sleep({seconds})
    """
    paper(folder, VALUE, textwrap.dedent(slow) + textwrap.dedent(SCORE))
    return lines


def begun(lines: Path) -> list[str]:
    return lines.read_text().split() if lines.exists() else []


def test_two_runs_on_one_store_make_each_run_once(tmp_path: Path) -> None:
    lines = counting(tmp_path, 0.3)
    words = ("check", "-y", "claims.yaml", "-o", "out", "-j", "2")
    both = [started(*words, cwd=tmp_path) for _ in range(2)]
    for one in both:
        said, errors = one.communicate(timeout=60)
        assert one.returncode == 0, said + errors
        assert "6 runs: 6 ended well, 0 failed" in said
    assert len(begun(lines)) == SEVERAL
    assert len(set(begun(lines))) == SEVERAL - 1
    assert [run["attempts"] for run in report(tmp_path / "out")["runs"]] == [1] * SEVERAL


def test_after_kill_9_the_same_command_goes_on_and_counts_the_lost_attempt(tmp_path: Path) -> None:
    lines = counting(tmp_path, 0.5)
    words = ("check", "-y", "claims.yaml", "-o", "out", "-j", "1")
    first = started(*words, cwd=tmp_path)
    until(lambda: len(results(tmp_path / "out")) >= 2 and len(begun(lines)) >= 3)
    first.kill()
    first.communicate()
    kept = {path: path.read_bytes() for path in results(tmp_path / "out")}
    assert 2 <= len(kept) < SEVERAL
    done = repcheck(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(results(tmp_path / "out")) == SEVERAL
    assert all(path.read_bytes() == content for path, content in kept.items())
    attempts = [run["attempts"] for run in report(tmp_path / "out")["runs"]]
    assert sorted(attempts) == [1] * (SEVERAL - 1) + [2]
    assert len(begun(lines)) == SEVERAL + 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_exits_130_and_the_same_command_goes_on(
    number: signal.Signals, tmp_path: Path
) -> None:
    lines = counting(tmp_path, 0.5)
    words = ("check", "-y", "claims.yaml", "-o", "out", "-j", "1")
    first = started(*words, cwd=tmp_path)
    until(lambda: len(results(tmp_path / "out")) >= 1 and len(begun(lines)) >= 2)
    first.send_signal(number)
    said, errors = first.communicate(timeout=20)
    assert first.returncode == 130
    assert said == ""
    assert "the same command resumes" in errors
    assert "Traceback" not in errors
    kept = len(results(tmp_path / "out"))
    assert 1 <= kept < SEVERAL
    partial = repcheck("report", "out", cwd=tmp_path)
    assert f": {kept} ended well, 0 failed" in partial.stdout
    done = repcheck(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(begun(lines)) == SEVERAL + 1
    assert sum(run["attempts"] for run in report(tmp_path / "out")["runs"]) == SEVERAL + 1


def test_an_interrupted_question_runs_nothing(tmp_path: Path) -> None:
    from cli_support import at_terminal

    paper(tmp_path)
    code, screen = at_terminal("check", "claims.yaml", cwd=tmp_path, answers=["\x04"])
    assert code == 130, screen
    assert not (tmp_path / "repcheck-out").exists()


def test_a_claims_file_that_changes_during_the_question_is_not_mixed_up(tmp_path: Path) -> None:
    file = paper(tmp_path, VALUE)
    edit = f"open({str(file)!r}, 'a').write('# later')"
    # Stands in for a person who edits while the question waits: load, edit, keep.
    code = f"""
import sys
from pathlib import Path
from repcheck import pipeline
from repcheck.cli import main
load = pipeline.load
def slow(path):
    found = load(path)
    {edit}
    return found
pipeline.load = slow
sys.argv = ["repcheck", "check", "-y", "claims.yaml", "-o", "out"]
main()
"""
    from cli_support import environment

    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment(),
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 2
    assert "changed after it was read" in done.stderr
    assert not (tmp_path / "out" / "check.json").exists()
    assert results(tmp_path / "out") == []
