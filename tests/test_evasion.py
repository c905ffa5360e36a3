"""What was not seen is never shown as nothing, whatever an artifact does to the probe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from observed_support import observed_beside, runs_beside
from probe_support import observe_raw
from record_builder import TRAIN, Process, batches, content

from repcheck import rules
from repcheck.analysis import observe
from repcheck.claims.load import load
from repcheck.claims.model import Claims
from repcheck.fact import Evidence, Level
from repcheck.facts.agreement import Agreement
from repcheck.judge import judge
from repcheck.observation import Gap, Observation
from repcheck.rule import Judgement, State
from repcheck.runs import Run

ROOT = Path(__file__).parent / "rules"
RULES = rules.load()
SEEN = [path for path in sorted(ROOT.glob("*/*/good*.yaml")) if observed_beside(path).exists()]


def gaps(found: Observation, what: str) -> list[str]:
    return [gap.why for gap in found.gaps if gap.what == what]


# --- facts and rules ask the gaps ---------------------------------------------------------------


@cache
def read(path: Path) -> Claims:
    return load(path)


@cache
def runs_of(path: Path) -> tuple[Run, ...]:
    return tuple(runs_beside(path))


def with_gap(path: Path, what: str) -> tuple[Run, ...]:
    """Return a fixture's runs with a gap in all of them."""
    why = Gap(what=what, why="something was out of sight")
    return tuple(
        replace(run, observation=replace(run.observation, gaps=(*run.observation.gaps, why)))
        if run.observation is not None
        else run
        for run in runs_of(path)
    )


def cleared(path: Path, runs: tuple[Run, ...]) -> list[Judgement]:
    """Return what is cleared by something that a probe saw."""
    found = judge(Evidence(claims=read(path), runs=runs), RULES.values())
    return [
        one
        for one in found
        if one.state is State.CLEARED
        and any(quantity.level is Level.OBSERVED for quantity in one.quantities)
    ]


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_fixtures_do_clear_something_where_all_was_seen() -> None:
    assert sum(bool(cleared(path, runs_of(path))) for path in SEEN) > 20


@pytest.mark.parametrize("what", ["process", "tampering"])
@pytest.mark.parametrize("path", SEEN, ids=short)
def test_nothing_is_cleared_by_runs_of_which_not_all_was_seen(path: Path, what: str) -> None:
    runs = with_gap(path, what)
    assert [one.message for one in cleared(path, runs)] == []
    claims = read(path)
    agreement = Evidence(claims=claims, runs=runs).get(Agreement)
    lines = [line for method in claims.methods.values() for line in agreement.of(method)]
    assert [line.key for line in lines if line.state == "same"] == []


def test_one_run_out_of_several_that_was_not_seen_whole_keeps_a_method_from_being_cleared() -> None:
    path = next(path for path in SEEN if cleared(path, runs_of(path)))
    runs = runs_of(path)
    again = tuple(replace(run, key=f"{place:064x}", seed=place) for place, run in enumerate(runs))
    doubled = (*runs, *again)
    assert cleared(path, doubled)
    gap = Gap(what="process", why="something was out of sight")
    last = tuple(
        replace(run, observation=replace(run.observation, gaps=(gap,)))
        for run in again
        if run.observation is not None
    )
    assert cleared(path, (*runs, *last)) == []


OF_TRAINING = {
    *("RC101", "RC101b", "RC102", "RC103", "RC103b", "RC201", "RC201b", "RC202", "RC202b"),
    *("RC204", "RC204b", "RC406", "RC406b", "RC407", "RC509", "RC815", "RC820", "RC828"),
}


@pytest.mark.parametrize("path", SEEN, ids=short)
def test_nothing_of_the_training_is_cleared_where_the_training_was_not_seen(path: Path) -> None:
    told = {one.rule for one in cleared(path, with_gap(path, "training"))}
    assert told & OF_TRAINING <= ({"RC509"} if "transductive" in path.name else set())
    unseen = tuple(
        replace(run, observation=replace(run.observation, training=None, averages=()))
        if run.observation is not None
        else run
        for run in runs_of(path)
    )
    told = {one.rule for one in cleared(path, unseen) if "RC509" not in one.rule}
    fitted = any(run.observation and run.observation.fits for run in unseen)
    assert fitted or told & OF_TRAINING == set()


# --- records with holes, and forged ones --------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path) -> Process:
    process = Process(tmp_path)
    process.start(pid=100, time=1000.0)
    process.optimizer()
    process.root()
    return process


def play(process: Process, epochs: int = 2) -> None:
    rows = content(0, 64)
    process.loader(0, ds=0)
    process.store(0, rows)
    for it in range(1, epochs + 1):
        process.train_epoch(0, it, batches(range(64), 32), rows)


def test_a_whole_record_has_no_gap(run: Process) -> None:
    play(run)
    run.end()
    assert observe(run.folder).gaps == ()


def test_steps_that_are_told_of_and_not_there_are_tampering(run: Process) -> None:
    play(run)
    run.end()
    steps = run.path("steps")
    steps.write_bytes(steps.read_bytes()[:128])
    found = observe(run.folder)
    assert gaps(found, "tampering")
    assert "speaks of 4 steps, and 2 are in its record" in gaps(found, "training")[0]


def test_steps_with_a_hole_are_tampering(run: Process) -> None:
    play(run)
    run.end()
    steps = run.path("steps")
    data = steps.read_bytes()
    steps.write_bytes(data[:64] + data[128:])
    assert gaps(observe(run.folder), "tampering")


def test_rows_that_are_told_of_and_not_there_are_a_gap(run: Process) -> None:
    play(run)
    run.end()
    rows = run.path("rows")
    rows.write_bytes(rows.read_bytes()[: rows.stat().st_size // 2])
    found = observe(run.folder)
    assert gaps(found, "rows")
    assert gaps(found, "tampering")


def test_a_first_process_without_an_end_is_a_gap_though_it_never_stepped(run: Process) -> None:
    assert "stops before its end" in gaps(observe(run.folder), "process")[0]


def test_a_helper_that_was_killed_is_none(run: Process) -> None:
    play(run)
    run.end()
    Process(run.folder, pid=101).start(pid=101, ppid=100)
    assert observe(run.folder).gaps == ()


def test_a_record_that_is_older_than_its_run_is_tampering(run: Process) -> None:
    play(run)
    run.end()
    assert observe(run.folder, since=1001.0).gaps == ()
    assert gaps(observe(run.folder, since=5000.0), "tampering")


def test_records_of_more_cpu_time_than_was_taken_are_tampering(run: Process) -> None:
    play(run)
    run.end(cpu=20.0)
    assert gaps(observe(run.folder, cpu_s=10.0), "tampering")
    assert observe(run.folder, cpu_s=20.0).gaps == ()


def test_a_tenth_of_the_cpu_time_out_of_sight_is_a_gap(run: Process) -> None:
    play(run)
    run.end(cpu=80.0)
    assert gaps(observe(run.folder, cpu_s=100.0), "process")


def test_a_recorder_that_gave_up_is_a_gap(run: Process) -> None:
    play(run)
    run.event("error", where="recording stopped", err="No space left on device")
    run.end()
    assert "No space left" in gaps(observe(run.folder), "process")[0]


def test_a_probe_that_did_not_come_to_torch_has_seen_no_training(run: Process) -> None:
    run.event("error", where="_torch", err="ModuleNotFoundError: gone")
    run.end()
    assert gaps(observe(run.folder), "training")


def test_backward_passes_without_a_step_are_no_absence_of_training(run: Process) -> None:
    run.event("first", loss=2.3, chain=["NllLossBackward0"], out=[32, 10], rows=32, at=0)
    run.end()
    found = observe(run.folder)
    assert found.training is None
    assert "no optimizer step that could be seen" in gaps(found, "training")[0]


def test_backward_passes_that_no_step_followed_are_not_counted_as_samples(run: Process) -> None:
    rows = content(0, 64)
    run.loader(0, ds=0)
    run.store(0, rows)
    run.add_step(rows=32 * 41, bwd=41, fwd=41)
    run.train_epoch(0, 1, batches(range(64), 32), rows)
    run.train_epoch(0, 2, batches(range(64), 32), rows)
    run.end()
    found = observe(run.folder)
    assert "40 backward passes" in gaps(found, "samples")[0]
    assert found.training is not None
    assert found.training.samples is None


def test_backward_passes_of_forwards_nobody_saw_leave_the_rows_open(run: Process) -> None:
    rows = content(0, 64)
    run.loader(0, ds=0)
    run.store(0, rows)
    for it in (1, 2):
        run.train_epoch(0, it, batches(range(64), 32), rows, bwd=2)
    run.end()
    assert gaps(observe(run.folder), "rows")


def test_training_after_the_last_step_is_a_gap_where_the_values_are_unknown(run: Process) -> None:
    play(run)
    rows = content(100, 64)
    for batch in batches(rows, 32):
        run.rows(TRAIN, batch, step=run.step + 1)
    run.loader(1, ds=1)
    run.event("weights", at=4, why="end", root=0, digest="trained")
    run.evaluate(1, 1, 1, batches(range(64), 32), rows, weights="another")
    run.end()
    found = observe(run.folder)
    assert gaps(found, "weights")
    assert "64 rows were trained through" in gaps(found, "training")[0]


def test_what_is_left_of_an_accumulation_is_no_gap(run: Process) -> None:
    play(run)
    run.rows(TRAIN, content(0, 32), step=run.step + 1)
    run.end()
    assert observe(run.folder).gaps == ()


# --- real processes: the record itself ----------------------------------------------------------

AT_THE_RECORD = (
    "import os\nfrom pathlib import Path\nhere = Path(os.environ['REPCHECK_PROBE_OUT'])\n"
)


@pytest.mark.parametrize(
    "script",
    [
        "[file.unlink() for file in here.iterdir()]",
        "[os.truncate(file, 40) for file in here.iterdir()]",
        "[file.rename(file.with_suffix('.old')) for file in here.iterdir()]",
        "import sys\nsys.modules['_repcheck_inside.recorder'].rec.on = False",
        "import sys\n[sys.modules.pop(name) for name in [*sys.modules] if '_repcheck' in name]",
        "import sys\nsys.meta_path[:] = [one for one in sys.meta_path if isinstance(one, type)]",
    ],
)
def test_what_an_artifact_does_to_the_probe_is_told_of(tmp_path: Path, script: str) -> None:
    done = observe_raw(AT_THE_RECORD + script + "\nprint('whole')\n", tmp_path)
    assert (done.rc, done.out, done.err) == (0, "whole\n", "")
    found = observe(done.folder)
    assert found.seen
    assert gaps(found, "tampering")


@pytest.mark.parametrize(
    "script",
    [
        "os.symlink('/dev/zero', here / '1-00000001.jsonl')",
        "os.mkfifo(here / '2-00000002.jsonl')\nos.mkfifo(here / '3-00000003.steps')",
        "(here / '4-00000004.rows').mkdir()",
        "(here / '5-00000005.rows').write_bytes(b'x' * 1000)",
        "os.closerange(3, 256)",
        "os.chdir('/')",
        "del os.environ['REPCHECK_PROBE_OUT'], os.environ['PYTHONPATH']",
    ],
)
def test_odd_things_in_the_folder_and_the_process_change_nothing(
    tmp_path: Path, script: str
) -> None:
    done = observe_raw(AT_THE_RECORD + script + "\nprint('whole')\n", tmp_path)
    assert (done.rc, done.out, done.err) == (0, "whole\n", "")
    found = observe(done.folder)
    assert found.seen
    assert gaps(found, "everything") == []
    assert [one.ended for one in found.processes if one.argv] == [True]


@pytest.mark.parametrize(
    "command",
    [
        "[sys.executable, '-I', '-c', '1']",
        "[sys.executable, '-S', '-c', '1']",
        "['env', '-i', sys.executable, '-c', '1']",
        "['sh', '-c', 'unset PYTHONPATH; exec ' + sys.executable + ' -E -c 1']",
    ],
)
@pytest.mark.parametrize("how", ["subprocess.run({})", "os.execvp({}[0], {})"])
def test_a_python_without_the_probe_is_told_of(tmp_path: Path, how: str, command: str) -> None:
    script = "import os, subprocess, sys\n" + how.format(command, command)
    done = observe_raw(script, tmp_path)
    assert done.rc == 0
    assert gaps(observe(done.folder), "process")


def test_an_end_without_python_is_not_taken_for_an_end(tmp_path: Path) -> None:
    done = observe_raw("import ctypes\nctypes.CDLL(None)._exit(0)\n", tmp_path)
    assert done.rc == 0
    assert gaps(observe(done.folder), "process")
