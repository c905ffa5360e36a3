"""What is stored stays, once, whatever happens around it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from repcheck.errors import RepcheckError, UsageError
from repcheck.machine import lock
from repcheck.record import Record
from repcheck.runs import Status
from repcheck.store import Attempt, Store
from tests.run_support import artifact, plan, run_all, spec


def record(attempt: Attempt, status: Status = Status.OK, **more: object) -> Record:
    return replace(Record(key=attempt.key, attempt=attempt.number, status=status), **more)


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store")


SPEC = replace(spec(), key="ab" * 32)
KEY = SPEC.key


def claim(store: Store) -> Attempt:
    attempt = store.claim(SPEC)
    assert attempt is not None
    return attempt


def abandon(attempt: Attempt) -> None:
    """Make an attempt look like that of a process that died."""
    content = json.loads(attempt.lock.read_text())
    attempt.lock.write_text(json.dumps({**content, "pid": 2**22 + 1}))


def test_a_result_comes_back_as_it_was_published(store):
    attempt = claim(store)
    kept = record(attempt, metrics={"acc": 0.1 + 0.2}, notes=("x",), reason="ü\n")
    assert store.finish(attempt, kept) == kept
    assert store.result(KEY) == kept
    assert store.spec(KEY) == SPEC
    assert store.claim(SPEC) is None


def test_an_attempt_is_claimed_once_while_it_is_made(store):
    claim(store)
    assert store.claim(SPEC) is None
    assert store.standing(KEY).busy


@pytest.mark.parametrize("status", [Status.INTERRUPTED, Status.SANDBOX_ERROR, Status.LOST])
def test_what_the_machine_broke_is_run_again_and_counted(store, status):
    attempt = claim(store)
    store.finish(attempt, record(attempt, status))
    assert store.result(KEY) is None
    assert claim(store).number == 2


@pytest.mark.parametrize("status", [s for s in Status if not s.infrastructure])
def test_every_failure_of_the_artifact_is_a_result(store, status):
    attempt = claim(store)
    store.finish(attempt, record(attempt, status))
    assert store.claim(SPEC) is None


def test_an_attempt_whose_process_died_is_recorded_as_lost(store):
    abandon(claim(store))
    assert claim(store).number == 2
    assert [found.status for found in store.records(KEY)] == [Status.LOST]


def test_a_result_that_was_recorded_and_not_published_is_not_lost(store):
    attempt = claim(store)
    store.finish(attempt, record(attempt, wall_s=12.0))
    (store.folder(KEY) / "result.json").unlink()
    assert store.claim(SPEC) is None
    result = store.result(KEY)
    assert result is not None
    assert result.wall_s == 12.0


def test_the_first_complete_attempt_wins(store):
    first = claim(store)
    abandon(first)
    second = claim(store)
    store.finish(second, record(second, metrics={"acc": 2.0}))
    late = store.finish(first, record(first, metrics={"acc": 1.0}))
    assert late.metrics == {"acc": 2.0}


def test_a_torn_result_is_put_aside_and_made_again(store):
    attempt = claim(store)
    store.finish(attempt, record(attempt))
    (store.folder(KEY) / "a1" / "record.json").write_text('{"schema": 1, "key"')
    assert store.result(KEY) is None
    assert claim(store).number == 2


def test_a_result_of_another_run_is_not_taken(store):
    attempt = claim(store)
    store.finish(attempt, replace(record(attempt), key="cd" * 32))
    assert store.result(KEY) is None


def test_a_link_in_place_of_a_result_is_not_followed(store, tmp_path):
    attempt = claim(store)
    store.finish(attempt, record(attempt))
    result = store.folder(KEY) / "result.json"
    result.rename(tmp_path / "elsewhere.json")
    result.symlink_to(tmp_path / "elsewhere.json")
    assert store.result(KEY) is None


def test_setting_a_result_aside_keeps_it_and_only_one_of_two_does_it(store):
    attempt = claim(store)
    store.finish(attempt, record(attempt, Status.NONZERO))
    store.set_aside(KEY, 1)
    store.set_aside(KEY, 1)
    assert (store.folder(KEY) / "result.a1.json").exists()
    second = claim(store)
    assert second.number == 2
    store.finish(second, record(second))
    store.set_aside(KEY, 1)  # somebody who decided before the second attempt
    result = store.result(KEY)
    assert result is not None
    assert result.attempt == 2
    assert len(store.records(KEY)) == 2


def test_the_heartbeat_decides_for_another_machine(store):
    attempt = claim(store)
    content = json.loads(attempt.lock.read_text())
    attempt.lock.write_text(json.dumps({**content, "host": "elsewhere"}))
    assert lock.alive(attempt.lock)
    old = time.time() - lock.LEASE_S - 5
    os.utime(attempt.lock, (old, old))
    assert not lock.alive(attempt.lock)
    lock.beat(attempt.lock)
    assert lock.alive(attempt.lock)


def test_another_boot_of_this_machine_means_dead(store):
    attempt = claim(store)
    content = json.loads(attempt.lock.read_text())
    attempt.lock.write_text(json.dumps({**content, "boot": "before"}))
    assert not lock.alive(attempt.lock)


def test_a_process_number_that_was_given_away_again_means_dead(store):
    attempt = claim(store)
    content = json.loads(attempt.lock.read_text())
    attempt.lock.write_text(json.dumps({**content, "pid": 1}))
    assert not lock.alive(attempt.lock)


def contend(root: Path, name: str, count: int) -> None:
    store = Store(root)
    won = []
    for number in range(count):
        attempt = store.claim(replace(spec(), key=f"{number:064x}"))
        if attempt is not None:
            won.append(number)
            store.finish(attempt, record(attempt))
    (root / name).write_text(json.dumps(won))


def test_processes_that_contend_for_runs_never_make_one_twice(store):
    context = get_context("spawn")
    contenders = [
        context.Process(target=contend, args=(store.root, f"won{n}", 40)) for n in range(4)
    ]
    for contender in contenders:
        contender.start()
    for contender in contenders:
        contender.join()
    won = [n for path in store.root.glob("won*") for n in json.loads(path.read_text())]
    assert sorted(won) == list(range(40))


WRITER = """
import sys, itertools
from dataclasses import replace
from pathlib import Path
from repcheck.store import Store
from tests.run_support import spec
from tests.test_store import record
store = Store(Path(sys.argv[1]))
for number in itertools.count():
    attempt = store.claim(replace(spec(), key=f"{number:064x}"))
    if attempt is not None:
        store.finish(attempt, record(attempt, reason="x" * 20000))
        print(number, flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_whole_records_and_loses_none_it_confirmed(store):
    confirmed: list[int] = []
    for pause in (0.0, 0.05, 0.1):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(store.root)],
            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent,
        )  # fmt: skip
        assert writer.stdout is not None
        confirmed.append(int(writer.stdout.readline()))
        time.sleep(pause)
        writer.kill()
        confirmed += [int(line) for line in writer.communicate()[0].splitlines() if line]
    for number in confirmed:
        found = store.result(f"{number:064x}")
        assert found is not None
        assert len(found.reason) == 20000
    for key in store.keys():  # noqa: SIM118 - not a mapping
        store.standing(key)
    assert len(confirmed) == len(set(confirmed))


def test_a_file_in_place_of_the_folder_is_a_usage_error(tmp_path):
    (tmp_path / "store").write_text("I am a file")
    with pytest.raises(UsageError, match="cannot be written"):
        Store.open(tmp_path / "store")


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a read-only place: /proc")
def test_a_read_only_folder_is_a_usage_error():
    with pytest.raises(UsageError, match="choose another folder with --out"):
        Store.open(Path("/proc/repcheck-store"))


def test_a_store_that_becomes_unwritable_says_so_and_keeps_what_it_has(tmp_path):
    root = artifact(tmp_path)
    made = plan(root, spec(1), spec(2))
    run_all(tmp_path, replace(made, runs=made.runs[:1]))
    blocked = tmp_path / "store" / "runs" / made.runs[1].key[:2]
    if blocked.exists():
        pytest.skip("both runs fell into one folder")
    blocked.write_text("a file in place of a folder")
    with pytest.raises(RepcheckError, match="finished runs are kept"):
        run_all(tmp_path, made)
    assert Store.open(tmp_path / "store").result(made.runs[0].key) is not None


@pytest.mark.parametrize("content", ["[]", "{", '{"repcheck_store": "1"}', '{"other": 1}'])
def test_a_folder_that_is_no_store_is_refused(tmp_path, content):
    (tmp_path / "store.json").write_text(content)
    with pytest.raises(UsageError, match="not a store of repcheck"):
        Store.open(tmp_path)


def test_a_store_of_a_newer_version_is_refused(tmp_path):
    (tmp_path / "store.json").write_text('{"repcheck_store": 2}')
    with pytest.raises(UsageError, match="newer than this repcheck knows"):
        Store.open(tmp_path)


def test_the_history_knows_the_median_cost_and_what_is_done(tmp_path):
    root = artifact(tmp_path)
    made = plan(root, *(spec(n) for n in range(3)))
    store = Store.open(tmp_path / "store")
    assert store.history().costs == {}
    runs = run_all(tmp_path, made)
    history = store.history()
    assert history.done == {run.key for run in made.runs}
    assert history.costs == {("ours", "digits"): sorted(run.wall_s for run in runs)[1]}


def test_a_plan_is_kept_once_under_its_name(tmp_path):
    root = artifact(tmp_path)
    made = plan(root, spec(1))
    run_all(tmp_path, made)
    (kept,) = (tmp_path / "store" / "plan").iterdir()
    assert kept.name == f"{made.id}.jsonl"
    assert json.loads(kept.read_text().splitlines()[1])["run"]["key"] == made.runs[0].key
