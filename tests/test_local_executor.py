"""Real programs that fail in every way they can, run for real."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from repcheck.errors import RepcheckError, UsageError
from repcheck.executor import Event, Kind
from repcheck.machine.child import Limits
from repcheck.runs import Status
from repcheck.store import Store
from tests.run_support import FINE, artifact, directory, plan, run_all, run_one, spec

QUICK = Limits(grace_s=0.2)


def test_a_good_run_has_its_metric_its_log_and_its_cost(tmp_path):
    run = run_one(tmp_path, FINE + "    print('hello')\n", seed=93)
    assert run.status is Status.OK
    assert run.metrics == {"acc": 0.93}
    assert (directory(tmp_path, run) / "stdout.log").read_text() == "hello\n"
    assert run.wall_s > 0
    assert run.cpu_s > 0
    assert run.peak_rss_mb > 1
    assert run.attempts == 1


def test_a_command_that_exits_1_is_a_result_with_its_last_words(tmp_path):
    run = run_one(tmp_path, "raise SystemExit('no such model: betternet')")
    assert run.status is Status.NONZERO
    assert run.exit_code == 1
    assert "exited with 1: no such model: betternet" in run.reason


def test_a_socket_below_the_temporary_folder_can_be_opened_and_nothing_stays_of_it(tmp_path):
    script = """
        import json, os, sys, tempfile
        from multiprocessing.connection import Listener
        Listener(family="AF_UNIX").close()
        where = [os.path.realpath(tempfile.gettempdir()), os.path.realpath(os.environ["HOME"])]
        print(tempfile.gettempdir())
        json.dump({"acc": float(where[0] == where[1])}, open(sys.argv[2] + "/m.json", "w"))
    """
    run = run_one(tmp_path, script)
    assert run.metrics == {"acc": 1.0}
    assert not Path((directory(tmp_path, run) / "stdout.log").read_text().strip()).parent.exists()


def test_a_hanging_command_is_ended_at_its_time_limit(tmp_path):
    began = time.monotonic()
    run = run_one(tmp_path, "import time; time.sleep(600)", limit=1, limits=QUICK)
    assert run.status is Status.TIMEOUT
    assert "time limit of 1 s" in run.reason
    assert time.monotonic() - began < 5


def test_a_command_that_ignores_the_polite_signal_is_killed(tmp_path):
    script = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    """
    run = run_one(tmp_path, script, limit=1, limits=QUICK)
    assert run.status is Status.TIMEOUT


def test_a_flood_on_stdout_is_stopped_and_its_log_is_capped(tmp_path):
    script = "import sys\nwhile True: sys.stdout.write('x' * 100000)"
    run = run_one(tmp_path, script, limits=Limits(log_mb=2))
    assert run.status is Status.NONZERO
    assert "printed more than 2 MiB" in run.reason
    assert (directory(tmp_path, run) / "stdout.log").stat().st_size == 2 * 2**20


def test_one_file_beyond_the_limit_fails_the_run_that_writes_it(tmp_path):
    script = "import sys; open(sys.argv[2] + '/big', 'wb').write(b'x' * 4 * 2**20)"
    run = run_one(tmp_path, script, limits=Limits(file_mb=1))
    assert run.status is Status.NONZERO
    assert "File too large" in run.reason


def test_a_run_without_the_metric_says_which_file_is_missing(tmp_path):
    run = run_one(tmp_path, "pass")
    assert run.status is Status.NO_METRIC
    assert run.reason == "acc: the run wrote no {out}/m.json"
    assert run.metrics == {}


def test_garbage_in_place_of_json_is_no_metric(tmp_path):
    run = run_one(tmp_path, "import sys; open(sys.argv[2] + '/m.json', 'wb').write(b'\\xff{{]')")
    assert run.status is Status.NO_METRIC
    assert "is not JSON" in run.reason


def test_a_nan_never_travels_on(tmp_path):
    run = run_one(
        tmp_path, "import sys; open(sys.argv[2] + '/m.json', 'w').write('{\"acc\": NaN}')"
    )
    assert run.status is Status.NO_METRIC
    assert "nan, not a finite number" in run.reason


def test_a_command_that_does_not_exist_says_where_it_was_looked_for(tmp_path):
    run = run_one(tmp_path, "", command=("no-such-program", "x"))
    assert run.status is Status.NOT_STARTED
    assert "`no-such-program` was not found" in run.reason
    assert str(Path(sys.executable).parent) in run.reason


def test_a_starting_folder_that_does_not_exist_is_said(tmp_path):
    run = run_one(tmp_path, "", cwds=("src",))
    assert run.status is Status.NOT_STARTED
    assert "`src`" in run.reason


def test_memory_errors_are_told_from_other_failures(tmp_path):
    run = run_one(tmp_path, "raise MemoryError('Unable to allocate 745 GiB')")
    assert run.status is Status.OOM


def test_python_means_the_interpreter_that_runs_repcheck(tmp_path):
    run = run_one(tmp_path, "import sys; print(sys.prefix)", reader="")
    assert (directory(tmp_path, run) / "stdout.log").read_text().strip() == sys.prefix


def test_python_means_the_given_interpreter_whatever_its_name(tmp_path):
    named = tmp_path / "bin" / "python3.99"
    named.parent.mkdir()
    named.write_text(f'#!/bin/sh\nSPECIAL=1 exec "{sys.executable}" "$@"\n')
    named.chmod(0o755)
    script = "import os; print(os.environ['SPECIAL'])"
    run = run_one(tmp_path, script, reader="", python=named)
    assert run.status is Status.OK
    assert run.python == str(named)


def test_a_missing_interpreter_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no Python interpreter there"):
        run_one(tmp_path, "", python=tmp_path / "nowhere")


def test_no_secret_of_the_environment_reaches_a_run(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    script = "import os; print(sorted(os.environ.items()))"
    run = run_one(tmp_path, script, reader="", env={"FROM_CLAIMS": "yes"})
    seen = (directory(tmp_path, run) / "stdout.log").read_text()
    assert "hunter2" not in seen
    assert "/somewhere" not in seen
    assert "('FROM_CLAIMS', 'yes')" in seen
    assert "('OMP_NUM_THREADS', '1')" in seen
    assert str(Path.home()) not in seen.replace(os.environ["PATH"], "").replace(str(tmp_path), "")


def test_stdin_is_empty(tmp_path):
    assert run_one(tmp_path, "assert input() == ''", reader="").status is Status.NONZERO


def test_runs_cannot_see_what_other_runs_dropped(tmp_path):
    script = """
        import os, pathlib, sys
        assert not pathlib.Path("dropped").exists() and not os.listdir(sys.argv[2])
        assert os.listdir(pathlib.Path.home()) == ["artifact"]
        pathlib.Path("dropped").write_text("x"); (pathlib.Path.home() / "dropped").write_text("x")
        pathlib.Path("t.py").write_text("raise SystemExit(9)")
    """
    root = artifact(tmp_path, script)
    runs = run_all(tmp_path, plan(root, *(spec(n, reader="") for n in range(3))))
    assert [run.status for run in runs] == [Status.OK] * 3
    assert sorted(item.name for item in root.iterdir()) == ["t.py"]


def test_an_edit_after_planning_is_refused_and_one_after_the_first_run_does_not_matter(tmp_path):
    root = artifact(tmp_path)
    made = plan(root, spec(1), spec(2))
    (root / "t.py").write_text("raise SystemExit(1)")
    with pytest.raises(RepcheckError, match="changed after it was planned"):
        run_all(tmp_path, made)


def test_links_inside_the_artifact_are_kept_and_those_that_leave_it_are_not(tmp_path):
    (tmp_path / "secret").write_text("hunter2")
    root = artifact(tmp_path, "import os; print(sorted(os.listdir('.')))")
    (root / "in").symlink_to("t.py")
    (root / "out").symlink_to("../secret")
    (root / "root").symlink_to("/etc/passwd")
    (run,) = run_all(tmp_path, plan(root, spec(reader="")))
    assert (directory(tmp_path, run) / "stdout.log").read_text() == "['in', 't.py']\n"


def test_metrics_behind_a_link_are_not_read(tmp_path):
    (tmp_path / "m.json").write_text('{"acc": 1}')
    script = f"import os, sys; os.symlink('{tmp_path}/m.json', sys.argv[2] + '/m.json')"
    run = run_one(tmp_path, script)
    assert run.status is Status.NO_METRIC
    assert "links are not followed" in run.reason


def test_evaluation_runs_after_training_in_the_same_folder(tmp_path):
    script = """
        import json, pathlib, sys
        out = pathlib.Path(sys.argv[2])
        if sys.argv[1] == "train": (out / "model").write_text("0.7")
        else: (out / "m.json").write_text(json.dumps({"acc": float((out / "model").read_text())}))
    """
    commands = tuple(("python", "t.py", step, "{out}") for step in ("train", "eval"))
    run = run_one(tmp_path, script, commands=commands, cwds=(".", "."))
    assert run.metrics == {"acc": 0.7}


def test_an_artifact_of_shell_characters_is_not_given_to_a_shell(tmp_path):
    script = "import sys; print(sys.argv[1:])"
    command = ("python", "t.py", "$HOME; touch x", "`id`", "*", "$(id)", "'")
    run = run_one(tmp_path, script, command=command, reader="")
    assert (directory(tmp_path, run) / "stdout.log").read_text().strip() == str(list(command[2:]))


# --- results are kept ---------------------------------------------------------------------------


def test_a_second_execution_runs_nothing_and_failures_are_results_too(tmp_path):
    root = artifact(tmp_path, "import sys; sys.exit(int(sys.argv[1]))")
    made = plan(root, spec(0, reader=""), spec(1, reader=""))
    first = run_all(tmp_path, made)
    kinds: list[Kind] = []
    second = run_all(tmp_path, made, progress=lambda event: kinds.append(event.kind))
    assert second == first
    assert kinds == [Kind.REUSED, Kind.REUSED]
    assert [run.status for run in second] == [Status.OK, Status.NONZERO]


@pytest.mark.parametrize(("rerun", "attempts"), [("failed", [1, 2]), ("all", [2, 2])])
def test_rerun_makes_runs_again_and_keeps_and_counts_the_old_attempts(tmp_path, rerun, attempts):
    root = artifact(tmp_path, "import sys; sys.exit(int(sys.argv[1]))")
    made = plan(root, spec(0, reader=""), spec(1, reader=""))
    run_all(tmp_path, made)
    again = run_all(tmp_path, made, rerun=rerun)
    assert [run.attempts for run in again] == attempts
    store = Store.open(tmp_path / "store")
    assert [len(store.records(run.key)) for run in again] == attempts
    assert run_all(tmp_path, made) == again


def test_a_mended_reader_reads_what_is_stored_without_running_again(tmp_path):
    root = artifact(tmp_path)
    (wrong,) = run_all(tmp_path, plan(root, spec(7, reader="{out}/m.json:accuracy")))
    assert wrong.status is Status.NO_METRIC
    assert "there is acc" in wrong.reason
    (mended,) = run_all(tmp_path, plan(root, spec(7)))
    assert (mended.status, mended.metrics, mended.attempts) == (Status.OK, {"acc": 0.07}, 1)
    scaled = plan(root, spec(7, scales={"acc": 100.0}))
    assert run_all(tmp_path, scaled)[0].metrics["acc"] == pytest.approx(7)


def test_a_wished_for_metric_that_is_missing_is_only_a_remark(tmp_path):
    both = {"acc": "{out}/m.json:acc", "f1": "{out}/m.json:f1"}
    run = run_one(tmp_path, FINE, readers=both, optional=("f1",))
    assert run.status is Status.OK
    assert run.notes == ("f1: {out}/m.json:f1: no key 'f1'; there is acc",)


def test_a_value_that_is_no_fraction_is_reported_where_a_fraction_is_said(tmp_path):
    run = run_one(tmp_path, FINE, seed=9310, scales={"acc": 100.0})
    assert "93.1 where `read_as: fraction` says" in run.notes[0]


def test_events_count_and_estimate_the_rest(tmp_path):
    root = artifact(tmp_path)
    events: list[Event] = []
    run_all(tmp_path, plan(root, *(spec(n) for n in range(3))), progress=events.append)
    assert [event.kind for event in events] == [Kind.STARTED, Kind.FINISHED] * 3
    assert [event.done for event in events] == [0, 1, 1, 2, 2, 3]
    assert events[0].eta_s is None
    assert events[1].eta_s is not None
    assert events[1].eta_s > 0
    assert events[-1].eta_s == 0


def test_no_run_begins_after_the_minutes_are_spent(tmp_path):
    root = artifact(tmp_path, "import time; time.sleep(0.4)")
    made = plan(root, *(spec(n, reader="") for n in range(5)), max_minutes=0.5 / 60)
    kinds: list[Kind] = []
    runs = run_all(tmp_path, made, progress=lambda event: kinds.append(event.kind))
    assert 1 <= len(runs) <= 2
    assert kinds.count(Kind.OUT_OF_TIME) == 5 - len(runs)


# --- disks --------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    mounted = tmp_path / "small"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(mounted)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no mount: {error}")
    if done.returncode:
        pytest.skip(f"a tmpfs may not be mounted here: {done.stderr.strip()}")
    yield mounted
    subprocess.run(["umount", "-l", str(mounted)], check=False)


def test_a_run_that_fills_the_disk_fails_alone(small_disk):
    script = """
        import json, sys
        json.dump({"acc": 0.5}, open(sys.argv[2] + "/m.json", "w"))
        if sys.argv[1] == "2":
            with open(sys.argv[2] + "/big", "wb") as file:
                while True: file.write(b"x" * 65536)
    """
    root = artifact(small_disk, script)
    made = plan(root, spec(1), spec(2), spec(3))
    runs = run_all(small_disk, made, limits=Limits(disk_floor_mb=0))
    assert [run.status for run in runs] == [Status.OK, Status.DISK, Status.OK]
    assert "disk is full" in runs[1].reason


def test_a_disk_that_somebody_else_fills_stops_everything_and_loses_nothing(small_disk):
    script = f"""
        import json, pathlib, sys
        json.dump({{"acc": 0.5}}, open(sys.argv[2] + "/m.json", "w"))
        if sys.argv[1] == "2" and not pathlib.Path("{small_disk}/filled").exists():
            with open("{small_disk}/filled", "wb", buffering=0) as file:
                while file.write(b"x" * 4096): pass
    """
    root = artifact(small_disk, script)
    made = plan(root, spec(1), spec(2), spec(3))
    with pytest.raises(RepcheckError, match="finished runs are kept"):
        run_all(small_disk, made, limits=Limits(disk_floor_mb=1))
    assert Store.open(small_disk / "store").result(made.runs[0].key) is not None
    (small_disk / "filled").write_bytes(b"")
    runs = run_all(small_disk, made, limits=Limits(disk_floor_mb=1), rerun="failed")
    assert [run.status for run in runs] == [Status.OK, Status.OK, Status.OK]
    assert [run.attempts for run in runs] == [1, 2, 1]


def test_nothing_begins_on_a_disk_with_too_little_room(small_disk):
    root = artifact(small_disk)
    with pytest.raises(RepcheckError, match="are kept free"):
        run_all(small_disk, plan(root, spec()), limits=Limits(disk_floor_mb=64))
