"""No process outlives its run, and no interruption loses or doubles a result."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from repcheck.machine import processes
from repcheck.machine.child import Limits
from repcheck.runs import Status
from repcheck.store import Store
from tests.run_support import artifact, plan, run_all, run_one, spec

QUICK = Limits(grace_s=0.2)
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")


def marked_alive(text: str) -> list[int]:
    """Return the living processes whose command line contains a text."""
    found = []
    for item in Path("/proc").iterdir():
        if item.name.isdigit():
            try:
                line = (item / "cmdline").read_bytes()
            except OSError:
                continue
            if text.encode() in line and int(item.name) != os.getpid():
                found.append(int(item.name))
    return found


# --- the whole tree of processes ----------------------------------------------------------------

TREE = """
    import os, subprocess, sys, time
    sleep = ["sleep", "86{n}"]
    subprocess.Popen(sleep)
    subprocess.Popen(sleep, start_new_session=True)
    subprocess.Popen(["sh", "-c", "nohup sleep 86{n} >/dev/null 2>&1 &"])
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvp("sleep", sleep)
        os._exit(0)
    subprocess.Popen(["env", "-i", "sleep", "86{n}"], start_new_session=True)
    time.sleep(0.3)
"""


@on_linux
def test_children_that_left_their_session_do_not_outlive_a_finished_run(tmp_path):
    run = run_one(tmp_path, TREE.replace("{n}", "0001"), reader="")
    assert run.status is Status.OK
    assert marked_alive("860001") == []


@on_linux
def test_children_that_left_their_session_do_not_outlive_a_timed_out_run(tmp_path):
    script = TREE.replace("{n}", "0002") + "    time.sleep(600)\n"
    run = run_one(tmp_path, script, reader="", limit=1, limits=QUICK)
    assert run.status is Status.TIMEOUT
    assert marked_alive("860002") == []


@on_linux
def test_cleaning_up_one_run_leaves_the_others_children_alone(tmp_path):
    script = """
        import subprocess, sys, time
        child = subprocess.Popen(["sleep", "860003"], start_new_session=True)
        time.sleep(0.2 if sys.argv[1] == "1" else 1.5)
        assert child.poll() is None
        if sys.argv[1] == "1": sys.exit()
        time.sleep(0.1)
    """
    root = artifact(tmp_path, script)
    runs = run_all(tmp_path, plan(root, spec(1, reader=""), spec(2, reader="")), jobs=2)
    assert [run.status for run in runs] == [Status.OK, Status.OK]
    assert marked_alive("860003") == []


@on_linux
@pytest.mark.parametrize("target", ["os.getpgid(0)", "os.getpgid(os.getppid())"])
def test_a_run_that_kills_its_own_or_its_parents_group_ends_only_itself(tmp_path, target):
    script = f"import os, signal; os.killpg({target}, signal.SIGKILL)"
    run = run_one(tmp_path, script, reader="")
    assert run.status is Status.NONZERO
    assert "SIGKILL" in run.reason


@on_linux
def test_a_run_that_kills_its_parent_ends_only_itself(tmp_path):
    script = "import os, signal, time; os.kill(os.getppid(), signal.SIGKILL); time.sleep(600)"
    run = run_one(tmp_path, script, reader="")
    assert run.status is Status.NONZERO


@on_linux
def test_no_zombies_are_left_behind(tmp_path):
    before = set(processes.strangers())
    run_one(tmp_path, TREE.replace("{n}", "0004"), reader="")
    ours = [processes.describe(pid) for pid in set(processes.strangers()) - before]
    assert [p for p in ours if p is not None and p.state == "Z"] == []


# --- interruption, resumption, company ----------------------------------------------------------

RUNNER = """
    import sys
    from pathlib import Path
    from tests.run_support import plan, run_all, spec
    folder, count, jobs = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    specs = [spec(n) for n in range(count)]
    for run in run_all(folder, plan(folder / "artifact", *specs), jobs=jobs):
        print(run.seed, run.status, run.attempts)
"""

LOGGED = """
    import json, sys, time, os
    with open({log!r}, "a") as log:
        log.write(sys.argv[1] + "\\n")
    for _ in range(100):
        if os.path.exists({go!r}): break
        time.sleep(0.05)
    json.dump({{"acc": 0.5}}, open(sys.argv[2] + "/m.json", "w"))
"""


def runner(folder: Path, *, count: int, jobs: int = 1) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(RUNNER), str(folder), str(count), str(jobs)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=Path(__file__).parent.parent,
    )  # fmt: skip


def logged(folder: Path) -> Path:
    log = folder / "log"
    artifact(folder, LOGGED.format(log=str(log), go=str(folder / "go")))
    return log


def wait_for(path: Path, lines: int = 1) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if path.exists() and len(path.read_text().splitlines()) >= lines:
            return
        time.sleep(0.02)
    raise AssertionError(f"{path} did not get {lines} lines")


@on_linux
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_runner_leaves_no_child_and_the_next_one_goes_on(tmp_path, number):
    log = logged(tmp_path)
    first = runner(tmp_path, count=3)
    wait_for(log)
    began = time.monotonic()
    first.send_signal(number)
    _, errors = first.communicate(timeout=20)
    assert time.monotonic() - began < 5
    assert "KeyboardInterrupt" in errors
    assert marked_alive(str(tmp_path / "store")) == []
    store = Store.open(tmp_path / "store")
    (key,) = store.keys()
    assert [record.status for record in store.records(key)] == [Status.INTERRUPTED]
    (tmp_path / "go").touch()
    out, _ = runner(tmp_path, count=3).communicate(timeout=60)
    assert out.splitlines() == ["0 ok 2", "1 ok 1", "2 ok 1"]


@on_linux
def test_after_kill_9_the_orphan_is_ended_and_the_run_made_again_once(tmp_path):
    log = logged(tmp_path)
    first = runner(tmp_path, count=3)
    wait_for(log)
    first.kill()
    first.communicate()
    assert marked_alive(str(tmp_path / "store")) != []
    (tmp_path / "go2").touch()
    second = runner(tmp_path, count=3)
    wait_for(log, lines=2)
    assert len(marked_alive("t.py 0".replace(" ", "\0"))) <= 2  # sh and python of one attempt
    (tmp_path / "go").touch()
    out, errors = second.communicate(timeout=60)
    assert out.splitlines() == ["0 ok 2", "1 ok 1", "2 ok 1"], errors
    assert log.read_text().split() == ["0", "0", "1", "2"]
    store = Store.open(tmp_path / "store")
    lost = [r.status for key in list(store.keys()) for r in store.records(key) if r.attempt == 1]
    assert sorted(lost) == [Status.LOST, Status.OK, Status.OK]


def test_two_runners_on_one_store_make_each_run_once_and_both_have_all_results(tmp_path):
    log = logged(tmp_path)
    (tmp_path / "go").touch()
    both = [runner(tmp_path, count=8, jobs=2) for _ in range(2)]
    outs = [process.communicate(timeout=60) for process in both]
    expected = [f"{n} ok 1" for n in range(8)]
    assert [out.splitlines() for out, _ in outs] == [expected, expected], outs
    assert sorted(map(int, log.read_text().split())) == list(range(8))


@on_linux
def test_a_run_that_always_kills_repcheck_is_given_up_after_three_times(tmp_path):
    script = """
        import os, signal
        sh = os.getppid()
        repcheck = int(open(f"/proc/{sh}/stat").read().rsplit(")", 1)[1].split()[1])
        os.kill(repcheck, signal.SIGKILL)
    """
    artifact(tmp_path, script)
    for _ in range(3):
        killed = runner(tmp_path, count=1)
        killed.communicate(timeout=20)
        assert killed.returncode == -signal.SIGKILL
    out, errors = runner(tmp_path, count=1).communicate(timeout=20)
    assert out.splitlines() == ["0 lost 3"], errors
