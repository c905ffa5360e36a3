"""A record is read up to the first byte that makes no sense, and nothing in it is trusted."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from random import Random

import numpy as np
import pytest

from repcheck import records
from repcheck.analysis import observe
from tests.record_builder import (
    EVAL,
    INDICES,
    ROWS,
    STEP,
    TRAIN,
    Process,
    batches,
    content,
)


def small(folder: Path) -> Process:
    """Write a record of four steps and one evaluation."""
    run = Process(folder)
    run.start()
    run.root()
    run.optimizer()
    run.loader(0, ds=0, batch_size=4)
    run.loader(1, ds=1, batch_size=4)
    run.train_epoch(0, 1, batches(range(16), 4), content(0, 16), loss=1.0)
    run.evaluate(1, 1, 1, batches(range(8), 4), content(100, 8))
    run.end()
    return run


def only(folder: Path) -> records.ProcessRecord:
    [found] = records.read(folder).processes
    return found


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    small(tmp_path)
    found = only(tmp_path)
    assert [event.kind for event in found.events] == [
        "start", "root", "optimizer", "loader", "loader", "loader_end", "loader_end", "eval", "end",
    ]  # fmt: skip
    assert found.steps["step"].tolist() == [1, 2, 3, 4]
    assert found.steps["rows"].tolist() == [4] * 4
    assert found.rows.headers["layer"].tolist() == [TRAIN] * 4 + [EVAL] * 2
    assert found.rows.values("<u8").tolist() == content(0, 16) + content(100, 8)
    assert found.idx.values("<i8").tolist() == [*range(16), *range(8)]


@pytest.mark.parametrize("ending", ["jsonl", "steps", "rows", "idx"])
def test_a_file_torn_at_any_byte_is_read_up_to_there(tmp_path: Path, ending: str) -> None:
    whole = small(tmp_path).path(ending)
    data = whole.read_bytes()
    full = len(_parts(only(tmp_path), ending))
    seen = []
    for length in range(len(data)):
        whole.write_bytes(data[:length])
        seen.append(len(_parts(only(tmp_path), ending)))
        if length % 37 == 0:
            observe(tmp_path)
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert seen[-1] == full - 1


def _parts(found: records.ProcessRecord, ending: str) -> object:
    return {
        "jsonl": found.events, "steps": found.steps, "rows": found.rows.at, "idx": found.idx.at,
    }[ending]  # fmt: skip


def test_a_torn_tail_beside_whole_files_changes_no_count(tmp_path: Path) -> None:
    run = small(tmp_path)
    whole = observe(tmp_path)
    run.append("steps", STEP.pack(*([1.0] * 5 + [9] + [0] * 11))[:40])
    run.append("rows", ROWS.pack(TRAIN, 0, 0, 3, 0, 0, 1000) + b"12345678")
    run.append("idx", INDICES.pack(0, 1, 2**32 - 1))
    run.append("jsonl", b'{"k": "eval", "n": 2')
    torn = observe(tmp_path)
    assert torn == whole


def test_random_bytes_are_survived(tmp_path: Path) -> None:
    random = Random(7)
    run = small(tmp_path)
    kept = {ending: run.path(ending).read_bytes() for ending in ("jsonl", "steps", "rows", "idx")}
    for _ in range(150):
        for ending, data in kept.items():
            bent = bytearray(data)
            for _ in range(random.randrange(1, 20)):
                bent[random.randrange(len(bent))] = random.randrange(256)
            run.path(ending).write_bytes(bent)
        found = observe(tmp_path)
        assert found.training is None or 0 <= found.training.steps <= 4


def test_bytes_of_noise_are_an_empty_record(tmp_path: Path) -> None:
    noise = Random(3).randbytes(50_000)
    for ending in ("jsonl", "steps", "rows", "idx"):
        (tmp_path / f"7-00000001.{ending}").write_bytes(noise)
    found = only(tmp_path)
    assert found.events == ()
    assert len(found.steps) == 0
    assert observe(tmp_path).gap() is not None


def test_lines_that_make_no_sense_are_passed_over(tmp_path: Path) -> None:
    run = Process(tmp_path)
    run.start()
    for line in ("", "[1]", "3", '"k"', "{}", '{"k": 3}', "{" * 90_000, "[" * 90_000, "nul\0l"):
        run.append("jsonl", line.encode() + b"\n")
    run.append("jsonl", b"\xff\xfe\n" + b"9" * 5000 + b"\n" + b'{"k":"' + b"x" * 2**21 + b'"}\n')
    run.event("seed", lib="python", v=1)
    assert [event.kind for event in only(tmp_path).events] == ["start", "seed"]


def test_a_step_of_number_zero_or_out_of_order_ends_the_steps(tmp_path: Path) -> None:
    run = Process(tmp_path)
    run.start()
    run.add_step()
    run.add_step()
    run.add_step(step=0)
    run.add_step()
    assert only(tmp_path).steps["step"].tolist() == [1, 2]
    other = Process(tmp_path, pid=200)
    other.add_step()
    other.add_step(step=5)
    other.add_step(step=5)
    assert records.read(tmp_path).processes[1].steps["step"].tolist() == [1, 5]


@pytest.mark.parametrize("t", [float("nan"), float("inf"), -1.0])
def test_a_step_at_no_time_ends_the_steps(tmp_path: Path, t: float) -> None:
    run = Process(tmp_path)
    run.start()
    run.add_step()
    run.add_step(t=t)
    assert len(only(tmp_path).steps) == 1


def test_numbers_are_bounded_and_texts_cut(tmp_path: Path) -> None:
    run = Process(tmp_path)
    run.event(
        "x", huge=2**63, negative=-1, text="y" * 1000, yes=True, big=10**400, listed=["z" * 1000],
        counts={"0": 5, "one": 6, "2": -1, "3": 2**60, "-4": 1},
    )  # fmt: skip
    run.append("jsonl", b'{"k":"n","t":NaN,"s":-3,"v":Infinity,"w":1e999}\n')
    odd, infinite = only(tmp_path).events
    assert (
        odd.count("huge") is odd.count("negative") is odd.count("yes") is odd.count("text") is None
    )
    assert odd.serial("negative") == -1
    assert odd.number("big") is odd.number("yes") is odd.number("missing") is None
    assert len(odd.text("text")) == 300
    assert odd.texts("listed") == ("z" * 300,)
    assert odd.counts("counts") == {0: 5, -4: 1}
    assert (infinite.t, infinite.step) == (0.0, 0)
    assert infinite.number("v") is infinite.number("w") is None


def test_only_regular_files_of_the_folder_itself_are_opened(tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "record"
    elsewhere.mkdir()
    folder.mkdir()
    secret = small(elsewhere)
    (folder / secret.path("jsonl").name).symlink_to(secret.path("jsonl"))
    os.mkfifo(folder / "5-00000005.jsonl")
    os.mkfifo(folder / "5-00000005.steps")
    (folder / "6-00000006.jsonl").mkdir()
    (folder / "start.jsonl").write_text('{"k": "start"}\n')
    assert records.read(folder) == records.Record()
    linked = tmp_path / "linked"
    linked.symlink_to(elsewhere)
    assert records.read(linked) == records.Record()
    assert records.read(tmp_path / "nothing") == records.Record()


def test_a_fifo_beside_real_events_does_not_hang_the_reader(tmp_path: Path) -> None:
    run = small(tmp_path)
    run.path("rows").unlink()
    os.mkfifo(run.path("rows"))
    assert len(only(tmp_path).rows) == 0
    assert observe(tmp_path).training is not None


def test_more_processes_than_are_read_leave_a_gap(tmp_path: Path) -> None:
    for pid in range(records.MOST_PROCESSES + 3):
        (tmp_path / f"{pid}-00000001.jsonl").write_text('{"k": "start", "t": 0, "s": 0}\n')
    small(tmp_path / ".")
    found = records.read(tmp_path)
    assert len(found.processes) == records.MOST_PROCESSES
    assert found.left_out == 4
    assert any(len(process.steps) for process in found.processes)  # those with steps come first
    gap = observe(tmp_path).gap("process")
    assert gap is not None
    assert "4 more processes" in gap.why


def test_what_is_larger_than_its_cap_is_cut_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(tmp_path)
    monkeypatch.setattr(records, "ARRAY_CAP", 64 * 2)
    assert only(tmp_path).cut == ("steps", "rows", "idx")
    seen = observe(tmp_path)
    assert seen.training is not None
    assert seen.training.steps == 2
    assert {gap.what for gap in seen.gaps} >= {"training", "rows", "samples"}


def test_a_sparse_terabyte_is_not_read(tmp_path: Path) -> None:
    run = small(tmp_path)
    os.truncate(run.path("steps"), 2**40)
    assert len(only(tmp_path).steps) == 4


@pytest.mark.parametrize("sizes", [[3] * 500, [3] * 40 + [2] + [3] * 40, [1, 2, 3] * 30, [0] * 50])
def test_blocks_of_any_sizes_are_found_in_order(tmp_path: Path, sizes: list[int]) -> None:
    run, random = Process(tmp_path), Random(5)
    run.start()
    told = [[random.randrange(2**64) for _ in range(n)] for n in sizes]
    for number, hashes in enumerate(told):
        run.rows(TRAIN if number % 3 else EVAL, hashes, step=number)
    rows = only(tmp_path).rows
    assert rows.headers["n"].tolist() == sizes
    assert rows.headers["step"].tolist() == list(range(len(sizes)))
    assert rows.values("<u8").tolist() == [h for block in told for h in block]
    trained = rows.only(rows.headers["layer"] == TRAIN)
    wanted = [h for number, block in enumerate(told) if number % 3 for h in block]
    assert trained.values("<u8").tolist() == wanted
    pieces = list(trained.chunks("<u8", most=7))
    assert np.concatenate([np.empty(0, "<u8"), *pieces]).tolist() == wanted


def test_a_forged_record_of_a_million_loaders_is_survived(tmp_path: Path) -> None:
    run = small(tmp_path)
    line = json.dumps({"k": "loader", "t": 0, "s": 0, "i": 1, "ds": -5, "batch_size": 2**63})
    run.append("jsonl", (line + "\n").encode() * 250_000)
    run.append("idx", b"".join(INDICES.pack(i, 2**31, 0) for i in range(60_000)))
    assert len(only(tmp_path).events) == records.MOST_EVENTS
    assert observe(tmp_path).training is not None


def test_forged_numbers_never_become_negative_or_infinite(tmp_path: Path) -> None:
    run = Process(tmp_path)
    run.start(
        time=float("nan"), cwd="\0", argv=[1, None, {}], env={"RANK": "-1", "WORLD_SIZE": "9" * 50}
    )
    run.root(params=-5, in_opt=1e400)
    run.event("optimizer", i=0, cls=3, groups=[{"n": -7, "lr": "x", "betas": [1, "a"]}, 5, None],
              params=[[5, 1], "x", [0, 2**70]], ngroups=-1)  # fmt: skip
    run.loader(0, ds=-3, batch_size=-32)
    run.indices(0, 1, [-(2**63), 2**63 - 1, 0])
    run.add_step(lr=float("inf"), lr_last=float("nan"), wait=float("-inf"), loss=float("inf"),
                 rows=2**32 - 1, flags=65535, opt=65535)  # fmt: skip
    run.add_step(lr=-1e300, wait=1e30, loss=-3e38)
    run.rows(EVAL, [0, 2**64 - 1], id=2**32 - 1, pass_=2**32 - 1)
    run.event("eval", n=2**32 - 1, at=-1, rows=-5, roots={"a": 1, "0": -1}, loaders=[1], wall="x")
    run.event("eval", n=1, at=10**15, rows=1, roots=None, loaders={"0": 2**53}, drawn=2**53)
    run.event("aux", root="x", fwd=-1)
    run.event("avg", root=-1, decay=float("nan"), r2=2)
    run.end(cpu=-5, wall=float("inf"), rss_kb=-3, hashed=-1)
    found = observe(tmp_path, cpu_s=10.0)
    assert found.training is not None
    assert found.training.steps >= 1
    for process in found.processes:
        assert process.cpu_s == process.peak_rss_mb == 0.0
        assert np.isfinite(process.wall_s)
    assert np.isfinite(found.training.optimizer.peak_lr)
    assert np.isfinite(found.training.wait_s)
    assert found.averages == ()


def test_the_builder_writes_what_the_contract_says() -> None:
    assert STEP.size == records.STEP.itemsize == 64
    assert ROWS.size == records.ROWS_HEADER.itemsize
    assert INDICES.size == records.IDX_HEADER.itemsize
    names = [("t", 0), ("loss", 28), ("step", 32), ("rows_off", 44), ("opt", 48), ("flags", 62)]
    for name, offset in names:
        assert records.STEP.fields is not None
        assert records.STEP.fields[name][1] == offset
    assert struct.calcsize("<dddffIIIIHHHHHHHH") == 64
