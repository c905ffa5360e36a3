"""Runs under the probe: what is put in front of them, and what is made of the record they leave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
import venv
from pathlib import Path

import pytest

from repcheck import launch
from repcheck.errors import UsageError
from repcheck.folder import Folder
from repcheck.machine import stored
from repcheck.machine.child import Limits
from repcheck.observation import (
    OBSERVATION_SCHEMA,
    EvaluatedSet,
    Evaluation,
    Gap,
    Observation,
    OptimizerSeen,
    Points,
    Training,
)
from repcheck.runs import Run, Status
from repcheck.store import Store
from repcheck.supervise import Surroundings, supervise
from tests.cli_support import ROOT, VALUE, at_terminal, paper, repcheck, report
from tests.run_support import FINE, artifact, directory, plan, run_all, run_one, spec

BLIND = ("python", "-I", "t.py", "{seed}", "{out}")
START = 'import os, shutil; out = os.environ["REPCHECK_PROBE_OUT"]'
SCRIPTS = Path(__file__).parent / "scripts"


def script(lines: str) -> str:
    """Return a script that knows its record folder as `out`, and leaves its metric."""
    return "\n".join([START, textwrap.dedent(lines), textwrap.dedent(FINE)])


def why(run: Run, what: str = "everything") -> str:
    assert run.observation is not None
    gap = run.observation.gap(what)
    assert gap is not None, run.observation
    return gap.why


def attempt(folder: Path, run: Run) -> tuple[Path, object]:
    """Return an attempt's folder and its record."""
    here = directory(folder, run)
    record = stored.record(here / "record.json")
    assert record is not None
    return here, record


# --- what is put in front -----------------------------------------------------------------------


def test_the_probe_stands_first_on_the_path_and_the_claims_files_own_path_behind_it(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "helper.py").write_text("WORD = 'found'\n")
    text = "import helper, os; print(helper.WORD); print(os.environ['PYTHONPATH'])"
    run = run_one(tmp_path, text, reader="", env={"PYTHONPATH": str(tmp_path / "mine")})
    said = (directory(tmp_path, run) / "stdout.log").read_text().split()
    assert said == ["found", f"{launch.FRONT}{os.pathsep}{tmp_path / 'mine'}"]


@pytest.mark.parametrize("stated", [{}, {"PYTHONPATH": ""}])
def test_an_empty_path_of_the_claims_file_adds_no_entry(stated, tmp_path):
    found = launch.variables(tmp_path, stated)
    assert found["PYTHONPATH"] == str(launch.FRONT)
    assert found["REPCHECK_PROBE_OUT"] == str(tmp_path)


def test_a_claims_file_cannot_send_the_record_elsewhere(tmp_path):
    text = "import os; print(os.environ['REPCHECK_PROBE_OUT'])"
    run = run_one(tmp_path, text, reader="", env={"REPCHECK_PROBE_OUT": str(tmp_path)})
    here = directory(tmp_path, run)
    assert (here / "stdout.log").read_text().strip() == str(here / "probe")


def test_without_the_probe_a_run_sees_nothing_of_it(tmp_path):
    text = "import os; print(sorted(os.environ))"
    run = run_one(tmp_path, text, reader="", probe=False)
    here = directory(tmp_path, run)
    said = (here / "stdout.log").read_text()
    assert "PYTHONPATH" not in said
    assert "REPCHECK_PROBE" not in said
    assert not (here / "probe").exists()
    assert run.observation is None


def test_the_key_of_a_run_does_not_depend_on_the_probe(tmp_path):
    made = plan(artifact(tmp_path), spec())
    (blind,) = run_all(tmp_path, made, probe=False)
    (again,) = run_all(tmp_path, made)
    assert blind.observation is None
    assert again == blind  # reused as it is
    (seen,) = run_all(tmp_path, made, rerun="all")
    assert seen.attempts == 2
    assert seen.observation is not None


# --- what was not seen is said ------------------------------------------------------------------


def test_a_run_without_python_is_said_not_to_have_been_seen(tmp_path):
    root = artifact(tmp_path)
    command = ("sh", "-c", "echo '{\"acc\": 0.5}' > $0/m.json", "{out}")
    (run,) = run_all(tmp_path, plan(root, spec(command=command)))
    assert run.status is Status.OK
    assert run.observation is not None
    assert not run.observation.seen
    assert why(run) == launch.NOBODY
    assert not (directory(tmp_path, run) / "observed.json").exists()


def test_a_run_without_python_costs_no_analysis(tmp_path):
    code = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from tests.run_support import artifact, plan, run_all, spec
        folder = Path({str(tmp_path)!r})
        run_all(folder, plan(artifact(folder), spec(command=("sh", "-c", "true"), reader="")))
        print({{"numpy", "scipy", "repcheck.analysis.observe"}} & set(sys.modules))
    """)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=ROOT,
    )  # fmt: skip
    assert done.stdout == "set()\n"


def test_a_python_that_takes_no_notice_of_its_environment_is_said_not_to_have_been_seen(tmp_path):
    run = run_one(tmp_path, FINE, command=("python", "-I", "t.py", "{seed}", "{out}"))
    assert run.status is Status.OK
    assert "-I" in why(run)


# --- the record is hostile ----------------------------------------------------------------------


def test_a_record_folder_replaced_by_a_link_is_not_followed(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "big.rows").write_bytes(b"x" * 2**20)
    text = script(f"""
        shutil.copytree(out, {str(other)!r}, dirs_exist_ok=True)
        shutil.rmtree(out)
        os.symlink({str(other)!r}, out)
    """)
    run = run_one(tmp_path, text, limits=Limits(record_mb=0.5))
    assert run.status is Status.OK
    assert "replaced" in why(run)
    assert (other / "big.rows").stat().st_size == 2**20


def test_a_link_put_there_later_is_not_followed_either(tmp_path):
    run = run_one(tmp_path, FINE)
    here, record = attempt(tmp_path, run)
    (here / "probe").rename(tmp_path / "elsewhere")
    (here / "probe").symlink_to(tmp_path / "elsewhere")
    seen = launch.read_back(here, record)
    assert not seen.seen
    assert seen.gaps


def test_a_removed_record_folder_is_said(tmp_path):
    run = run_one(tmp_path, script("shutil.rmtree(out)"))
    assert run.status is Status.OK
    assert "replaced or removed" in why(run)


def test_a_record_that_is_gone_later_is_said_unless_its_observation_was_kept(tmp_path):
    run = run_one(tmp_path, FINE)
    here, record = attempt(tmp_path, run)
    for path in (here / "probe").iterdir():
        path.unlink()
    (here / "probe").rmdir()
    assert launch.observed(here, record) == run.observation
    (here / "observed.json").unlink()
    seen = launch.observed(here, record)
    assert seen is not None
    assert seen.gap() == Gap(what="everything", why="the probe's record is gone")


@pytest.mark.parametrize("name", ["a.jsonl", "a.steps", "a.rows"])
def test_pipes_links_and_folders_in_a_record_stop_nothing(name, tmp_path):
    text = script(f"""
        os.mkfifo(out + "/{name}")
        os.symlink("/dev/zero", out + "/zero-{name}")
        os.mkdir(out + "/folder-{name}")
    """)
    run = run_one(tmp_path, text, command=BLIND)
    assert run.status is Status.OK
    assert why(run) == launch.NOBODY


def test_a_record_that_outgrows_its_cap_is_cut_and_the_run_is_not_ended_for_it(tmp_path):
    text = script("""
        open(out + "/9-00000001.rows", "wb").write(b"x" * 3_000_000)
        open(out + "/9-00000001.idx", "wb").write(b"x" * 300_000)
    """)
    run = run_one(tmp_path, text, limits=Limits(record_mb=1))
    assert run.status is Status.OK
    kept = {p.suffix: p.stat().st_size for p in (directory(tmp_path, run) / "probe").iterdir()}
    assert sum(kept.values()) == 2**20
    assert kept[".idx"] == 300_000
    assert "outgrew its 1 MiB" in why(run, "rows")
    assert run.observation.seen
    assert run.observation.gap("training") is None


def test_what_was_cut_is_still_said_when_the_record_is_analysed_again(tmp_path):
    text = script('open(out + "/9-00000001.rows", "wb").write(b"x" * 3_000_000)')
    run = run_one(tmp_path, text, limits=Limits(record_mb=1))
    here, record = attempt(tmp_path, run)
    (here / "observed.json").unlink()
    assert launch.observed(here, record) == run.observation


def test_somebodys_own_file_that_is_linked_into_a_record_keeps_its_content(tmp_path):
    mine = tmp_path / "mine"
    mine.write_bytes(b"x" * 2_000_000)
    text = script(f'os.link({str(mine)!r}, out + "/9-00000001.rows")')
    run = run_one(tmp_path, text, limits=Limits(record_mb=1))
    assert why(run, "rows")
    assert mine.stat().st_size == 2_000_000


# --- what is kept of it -------------------------------------------------------------------------


def test_the_observation_is_the_same_from_the_store(tmp_path):
    made = plan(artifact(tmp_path, FINE), spec(), spec(2))
    first = run_all(tmp_path, made)
    assert all(run.observation.seen for run in first)
    assert all((directory(tmp_path, run) / "observed.json").is_file() for run in first)
    assert run_all(tmp_path, made) == first


def test_an_observation_that_a_run_forges_is_not_believed(tmp_path):
    forged = stored.dumps(Observation(seen=True, saves=99)).decode()
    text = script(f'open(out + "/../observed.json", "w").write({forged!r})')
    run = run_one(tmp_path, text, command=BLIND)
    assert why(run) == launch.NOBODY
    run = run_one(tmp_path / "seen", text)
    assert run.observation.seen
    assert run.observation.saves == 0


def test_a_folder_where_the_observation_belongs_stops_nothing(tmp_path):
    run = run_one(tmp_path, script('os.makedirs(out + "/../observed.json/deep")'))
    assert run.observation.seen
    assert (directory(tmp_path, run) / "observed.json").is_file()


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", '{"schema": 1, "seen": "perhaps"}', '{"schema": 1, "cpu_s": NaN}',
        '{"schema": 1, "cpu_s": 1e999}', '{"schema": 1, "saves": 1' + "0" * 500 + "}",
        '{"schema": 1, "gaps": [{"what": 1}]}', "[" * 100_000, '{"schema": 0}',
        '{"schema": 1, "network": ["\\ud800"]}',
    ],
    ids=lambda text: text[:40],
)  # fmt: skip
def test_an_observation_that_makes_no_sense_is_none(text, tmp_path):
    (tmp_path / "observed.json").write_text(text)
    assert stored.observation(tmp_path / "observed.json") is None


def test_an_observation_of_a_newer_schema_is_left_alone_and_the_record_analysed_again(tmp_path):
    run = run_one(tmp_path, FINE)
    here, record = attempt(tmp_path, run)
    newer = json.dumps({"schema": OBSERVATION_SCHEMA + 1, "seen": "in another way"})
    (here / "observed.json").write_text(newer)
    assert launch.observed(here, record) == run.observation
    assert (here / "observed.json").read_text() == newer


def test_every_field_of_an_observation_survives_the_store(tmp_path):
    optimizer = OptimizerSeen(
        cls="SGD", steps=3, elements=10, groups=1,
        fields={"momentum": 0.9, "nesterov": False, "betas": (0.9, 0.999), "foreach": None, "n": 2},
        lr=Points(step=(1, 3), samples=(2, 6), value=(0.1, 0.01)),
    )  # fmt: skip
    seen = Observation(
        seen=True,
        gaps=(Gap(what="rows", why="too many"),),
        cpu_s=1.5,
        training=Training(steps=3, samples=6, optimizer=optimizer, first_loss=2.3),
        sets=(EvaluatedSet(id=0, examples=7, by="indices"),),
        evaluations=(Evaluation(n=1, at=3, set=0, rows=7, forwards=1, held=True),),
    )
    path = tmp_path / "observed.json"
    path.write_bytes(stored.dumps(seen))
    assert stored.observation(path) == seen


def test_a_name_that_is_no_text_is_kept_as_far_as_it_can_be_written(tmp_path):
    seen = Observation(seen=True, network=("caf\udce9",))
    assert stored.sound(seen) == Observation(seen=True, network=("caf?",))


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e300])
def test_numbers_that_cannot_be_are_no_observation(seconds):
    assert stored.sound(Observation(seen=True, cpu_seen_s=seconds)) is None


def test_a_disk_that_does_not_take_the_observation_loses_neither_it_nor_the_run(tmp_path):
    run = run_one(tmp_path, FINE)
    here = directory(tmp_path, run)
    (here / "observed.json").unlink()
    code = textwrap.dedent(f"""
        import resource, signal
        from pathlib import Path
        from repcheck import launch
        from repcheck.machine import stored
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        here = Path({str(here)!r})
        seen = launch.observed(here, stored.record(here / "record.json"))
        print(seen.seen, len(seen.processes), (here / "observed.json").exists())
    """)
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "True 1 False\n"


def test_a_run_that_ran_out_of_time_is_observed(tmp_path):
    run = run_one(tmp_path, script("import time; time.sleep(60)"), limit=1.5)
    assert run.status is Status.TIMEOUT
    assert run.observation.seen


def test_a_run_that_was_killed_is_observed_up_to_there(tmp_path):
    run = run_one(tmp_path, script("os.kill(os.getpid(), 9)"))
    assert run.status is Status.NONZERO
    assert run.observation.seen
    assert [process.ended for process in run.observation.processes] == [False]


def test_an_interrupted_run_is_not_analysed(tmp_path):
    stop = threading.Event()
    made = plan(artifact(tmp_path, script("import time; time.sleep(60)")), spec())
    store = Store.open(tmp_path / "store")
    around = Surroundings(tree=made.tree, python=Path(sys.executable), stop=stop)
    threading.Timer(1.0, stop.set).start()
    begun = store.claim(made.runs[0])
    ended = store.finish(begun, supervise(made.runs[0], begun, around))
    assert ended.status is Status.INTERRUPTED
    assert (begun.folder / "probe").is_dir()
    assert not (begun.folder / "observed.json").exists()


def test_the_analysis_is_no_part_of_the_runs_time(tmp_path):
    run = run_one(tmp_path, FINE)
    _, record = attempt(tmp_path, run)
    assert run.wall_s == pytest.approx(sum(step.wall_s for step in record.steps))


# --- the fallback -------------------------------------------------------------------------------


def test_the_fallback_is_refused_outside_of_an_environment(tmp_path):
    with pytest.raises(UsageError, match="no virtual environment"):
        launch.plant(tmp_path)


def planted(folder: Path) -> Path:
    """Make an environment with the fallback in it; return its Python."""
    venv.create(folder / "env", with_pip=False, symlinks=True)
    launch.plant(folder / "env")
    return folder / "env" / "bin" / "python"


def test_the_fallback_sees_a_python_that_takes_no_notice_of_its_environment(tmp_path):
    python = planted(tmp_path)
    run = run_one(tmp_path, FINE, command=BLIND, python=python)
    assert run.status is Status.OK
    assert run.observation.seen
    assert len(run.observation.processes) == 1
    assert run.observation.probe_errors == ()


def test_the_fallback_starts_no_second_probe_and_none_where_nobody_asked(tmp_path):
    python = planted(tmp_path)
    run = run_one(tmp_path, FINE, python=python)
    assert len(run.observation.processes) == 1
    assert (directory(tmp_path, run) / "stderr.log").read_text() == ""
    code = "import sys; print('_repcheck_inside' in sys.modules)"
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\n", "")


# --- real artifacts -----------------------------------------------------------------------------


def whole(folder: Path, name: str) -> Run:
    """Run one of the scripts of `tests/scripts` and return what came of it."""
    more = {path.name: path.read_text() for path in SCRIPTS.glob("data.py")}
    root = artifact(folder, (SCRIPTS / name).read_text(), **more)
    (run,) = run_all(folder, plan(root, spec(reader="", limit=120)))
    assert run.status is Status.OK, run.reason
    assert run.observation.probe_errors == ()
    return run


def test_numpy_alone_is_seen_and_its_training_is_a_gap_and_no_zero(tmp_path):
    run = whole(tmp_path, "numpy_only.py")
    assert run.observation.seen
    assert run.observation.training is None
    assert [use.path for use in run.observation.files if use.written] == ["w.npy"]


def test_the_fits_of_scikit_learn_arrive(tmp_path):
    fits = whole(tmp_path, "sklearn_fit.py").observation.fits
    assert {(fit.cls, fit.method, fit.rows) for fit in fits} == {
        ("sklearn.pipeline.Pipeline", "fit", 150),
        ("sklearn.pipeline.Pipeline", "score", 60),
    }


def test_the_training_of_a_plain_loop_arrives_and_its_files_are_hashed(tmp_path):
    run = whole(tmp_path, "plain_loop.py")
    training = run.observation.training
    assert training is not None
    assert (training.steps, training.samples) == (20, 640)
    (weights,) = [use for use in run.observation.files if use.path == "weights.pt"]
    assert weights.written
    assert len(weights.sha256) == 64


def test_a_record_of_several_commands_is_one_record(tmp_path):
    root = artifact(tmp_path)
    commands = (("python", "-c", "pass"), ("python", "t.py", "1", "{out}"))
    made = spec(commands=commands, cwds=(".", "."))
    (run,) = run_all(tmp_path, plan(root, made))
    said = [process.argv for process in run.observation.processes]
    assert len(said) == 2
    assert "-c" in said[0]
    assert "t.py" in said[1]


# --- what a person reads ------------------------------------------------------------------------


def test_plan_and_consent_say_that_a_probe_is_put_in_and_how_to_leave_it_out(tmp_path):
    file = paper(tmp_path, VALUE)
    assert "--no-probe" in repcheck("plan", file, cwd=tmp_path).stdout
    asked = repcheck("run", file, cwd=tmp_path)
    assert asked.returncode == 2
    assert "PYTHONPATH" in asked.stderr
    assert "--no-probe" in asked.stderr
    without = repcheck("run", file, "--no-probe", cwd=tmp_path)
    assert "PYTHONPATH" not in without.stderr
    code, screen = at_terminal("run", file, cwd=tmp_path, answers=["n\n"])
    assert code == 2
    assert "--no-probe" in screen


def test_results_that_were_made_without_a_probe_are_used_and_said_so(tmp_path):
    file = paper(tmp_path, VALUE)
    first = repcheck("run", file, "--yes", "--no-probe", "-o", "o", cwd=tmp_path)
    assert first.returncode == 0
    assert "without a probe" not in first.stderr
    again = repcheck("check", file, "--yes", "-o", "o", cwd=tmp_path)
    assert "6 of 6 results in use were made without a probe" in again.stderr
    assert "--rerun all" in again.stderr
    assert report(tmp_path / "o")["isolation"]["probe"] == "off: nothing was observed"
    anew = repcheck("check", file, "--yes", "--rerun", "all", "-o", "o", cwd=tmp_path)
    assert "without a probe" not in anew.stderr
    assert report(tmp_path / "o")["isolation"]["probe"].startswith("on")


def test_a_report_from_a_folder_sees_what_the_check_saw(tmp_path):
    file = paper(tmp_path, VALUE)
    assert repcheck("run", file, "--yes", "-o", "o", cwd=tmp_path).returncode == 0
    folder = Folder(tmp_path / "o")
    runs = folder.runs(folder.plan())
    assert len(runs) == 6
    assert all(run.observation is not None and run.observation.seen for run in runs)
    assert folder.runs(folder.plan()) == runs


# --- the numbers beside the metrics -------------------------------------------------------------


def test_the_numbers_beside_are_kept_with_a_run_and_follow_a_mended_reader(tmp_path):
    both = (
        'import json, sys; json.dump({"acc": 0.5, "f1": 0.25}, open(sys.argv[2] + "/m.json", "w"))'
    )
    root = artifact(tmp_path, both)
    (first,) = run_all(tmp_path, plan(root, spec()), probe=False)
    assert (first.metrics, first.others) == ({"acc": 0.5}, {"f1": 0.25})
    mended = spec(reader="{out}/m.json:f1")
    (again,) = run_all(tmp_path, plan(root, mended), probe=False)
    assert (again.metrics, again.others, again.attempts) == ({"acc": 0.25}, {"acc": 0.5}, 1)
    stored_one = stored.record(directory(tmp_path, first) / "record.json")
    assert stored_one is not None
    assert stored_one.others == {"f1": 0.25}


def test_of_a_run_whose_metric_was_printed_nothing_beside_was_looked_at(tmp_path):
    run = run_one(tmp_path, "print('acc 0.5')", reader=r"stdout:acc ([\d.]+)", probe=False)
    assert (run.metrics, run.others) == ({"acc": 0.5}, None)
    failed = run_one(tmp_path / "b", "raise SystemExit(3)", probe=False)
    assert failed.others is None
