"""Hostile artifacts, runs and claims files: none hangs, forges in passing or breaks repcheck."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from repcheck.errors import RepcheckError, UsageError
from repcheck.machine import lock, stored
from repcheck.machine.artifact import copy, file_sha256, scan
from repcheck.machine.child import Limits
from repcheck.reader import Left, NoMetric, read
from repcheck.runs import Status
from repcheck.store import Store, clear
from tests.cli_support import SCORE, VALUE, paper, repcheck, results
from tests.run_support import FINE, artifact, directory, plan, run_all, run_one, spec

WRITE = 'import json; json.dump({"acc": 1}, open(sys.argv[2] + "/m.json", "w"))'


def left(folder: Path, **files: str) -> Left:
    out = folder / "a1" / "out"
    out.mkdir(parents=True)
    (folder / "a1" / "stdout.log").write_text(files.pop("stdout", ""))
    for name, text in files.items():
        (out / name.replace("_", ".")).write_text(text)
    return Left(out=out, stdout=folder / "a1" / "stdout.log")


# --- what a run wrote ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["{out}/../x.json:a", "/etc/hostname.json:a", "{out}//../x.json:a", "{out}/a\0.json:a"],
)
def test_a_path_that_leads_out_of_the_run_is_refused(tmp_path, text):
    found = left(tmp_path)
    (tmp_path / "a1" / "x.json").write_text('{"a": 1}')
    with pytest.raises(NoMetric):
        read(found, text)


def test_an_output_folder_replaced_by_a_link_is_not_read(tmp_path):
    found = left(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / "m.json").write_text('{"acc": 99}')
    found.out.rmdir()
    found.out.symlink_to(other)
    with pytest.raises(NoMetric, match="replaced or removed"):
        read(found, "{out}/m.json:acc")


def test_a_removed_output_folder_is_a_missing_number(tmp_path):
    found = left(tmp_path)
    found.out.rmdir()
    with pytest.raises(NoMetric, match="replaced or removed"):
        read(found, "{out}/m.json:acc")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_log_replaced_by_a_pipe_or_a_folder_does_not_hang(tmp_path, make):
    found = left(tmp_path)
    found.stdout.unlink()
    make(found.stdout)
    with pytest.raises(NoMetric, match="not a regular file"):
        read(found, r"stdout:acc (\d+)")


def test_a_metrics_file_that_is_a_pipe_does_not_hang(tmp_path):
    found = left(tmp_path)
    os.mkfifo(found.out / "m.json")
    with pytest.raises(NoMetric, match="not a regular file"):
        read(found, "{out}/m.json:acc")


def test_a_sparse_file_of_five_gigabytes_is_not_read(tmp_path):
    found = left(tmp_path)
    with (found.out / "m.json").open("wb") as file:
        file.truncate(5 * 2**30)
    with pytest.raises(NoMetric, match="at most 64 MiB"):
        read(found, "{out}/m.json:acc")


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000, '{"a":' * 5000 + "1" + "}" * 5000, '{"a": NaN}', '{"a": -Infinity}',
        '{"a": true}', '{"a": "high"}', '{"a": 1' + "0" * 5000 + "}", '{"a": 1' + "0" * 400 + "}",
        '{"a": 1e400}', '{"a": {"b": 1}}',
    ],
)  # fmt: skip
def test_json_that_holds_no_number_is_said_in_words(tmp_path, content):
    with pytest.raises(NoMetric):
        read(left(tmp_path, m_json=content), "{out}/m.json:a")


def test_a_number_that_its_scale_makes_infinite_is_no_number(tmp_path):
    with pytest.raises(NoMetric, match="not a finite number"):
        read(left(tmp_path, m_json='{"a": 1e308}'), "{out}/m.json:a", scale=100.0)


def test_the_mean_of_huge_numbers_does_not_overflow(tmp_path):
    found = left(tmp_path, m_json='{"a": [1e308, 1e308, 1e308]}')
    with pytest.raises(NoMetric, match="not a finite number"):
        read(found, "{out}/m.json:a@mean")


@pytest.mark.parametrize("ending", ["json", "jsonl"])
def test_a_path_of_a_hundred_thousand_keys_is_refused_at_once(tmp_path, ending):
    found = left(tmp_path, **{f"m_{ending}": '{"a": 1}'})
    began = time.monotonic()
    with pytest.raises(NoMetric, match="dots"):
        read(found, "{out}/m." + ending + ":" + "a." * 100_000 + "a")
    assert time.monotonic() - began < 1


def test_a_table_with_an_endless_line_is_said_in_words(tmp_path):
    with pytest.raises(NoMetric, match="not a table"):
        read(left(tmp_path, m_csv="acc\n" + "1" * 20_000_000), "{out}/m.csv:acc")


@pytest.mark.parametrize(
    "pattern", ["(" + "a?" * 40 + "a" * 40 + ")b", "(" + "(?:a|aa)" * 40 + ")b", "((?:a?){40})b"]
)
def test_choices_in_a_row_are_searched_apart_and_stopped(tmp_path, monkeypatch, pattern):
    monkeypatch.setattr("repcheck.readers.stdout.PATIENCE_S", 0.5)
    with pytest.raises(NoMetric, match=r"did not finish|nothing the run printed"):
        read(left(tmp_path, stdout="a" * 60 + "\n"), f"stdout:{pattern}")


# --- what a run does to its own folder and to the store ----------------------------------------


def test_a_run_that_removes_its_own_folder_fails_alone(tmp_path):
    script = f"""
        import os, shutil, sys
        if sys.argv[1] == "1":
            shutil.rmtree(os.path.dirname(sys.argv[2]))
        else:
            {WRITE}
    """
    root = artifact(tmp_path, script)
    first, second = run_all(tmp_path, plan(root, spec(1), spec(2)))
    assert first.status is Status.NO_METRIC
    assert "replaced or removed its own folder" in first.reason
    assert second.status is Status.OK
    assert Store.open(tmp_path / "store").result(first.key).status is Status.NO_METRIC


def test_a_run_that_makes_its_folder_a_link_does_not_have_others_files_removed(tmp_path):
    victim = tmp_path / "victim"
    (victim / "home").mkdir(parents=True)
    (victim / "home" / "thesis.txt").write_text("years")
    script = f"""
        import os, shutil, sys
        mine = os.path.dirname(sys.argv[2])
        os.rename(mine, mine + "-gone")
        os.symlink({str(victim)!r}, mine)
    """
    run = run_one(tmp_path, script)
    assert run.status is Status.NO_METRIC
    assert (victim / "home" / "thesis.txt").exists()
    assert not (victim / "record.json").exists()


def test_a_run_that_nests_folders_without_end_is_cleared(tmp_path):
    script = f"""
        import os, sys
        for _ in range(1500):
            os.mkdir("d"); os.chdir("d")
        {WRITE}
    """
    run = run_one(tmp_path, script)
    assert run.status is Status.OK
    assert not (directory(tmp_path, run) / "home").exists()


def test_a_link_is_not_cleared(tmp_path):
    (tmp_path / "victim" / "home").mkdir(parents=True)
    (tmp_path / "a1").symlink_to(tmp_path / "victim")
    clear(tmp_path / "a1", out=True)
    assert (tmp_path / "victim" / "home").exists()


@pytest.mark.parametrize("how", ["os.remove(log)", "os.remove(log); os.mkfifo(log)"])
def test_a_run_that_removes_its_log_keeps_its_result(tmp_path, how):
    script = f"""
        import os, sys
        log = os.path.dirname(sys.argv[2]) + "/stdout.log"
        {how}
        {WRITE}
    """
    run = run_one(tmp_path, script)
    assert run.status is Status.OK
    assert len(run.stdout_sha256) == 64


def test_a_log_made_a_link_does_not_have_its_target_cut(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"x" * 2**21)
    script = f"""
        import os, sys
        log = os.path.dirname(sys.argv[2]) + "/stdout.log"
        os.remove(log); os.symlink({str(victim)!r}, log)
        {WRITE}
    """
    run_one(tmp_path, script, limits=Limits(log_mb=1))
    assert victim.stat().st_size == 2**21


def test_a_run_that_changes_the_kept_artifact_does_not_change_the_next_run(tmp_path):
    script = """
        import glob, os, sys
        store = os.path.dirname(sys.argv[2]).split("/runs/")[0]
        for kept in glob.glob(store + "/artifact/*/t.py"):
            open(kept, "a").write("# forged")
    """
    root = artifact(tmp_path, script)
    with pytest.raises(RepcheckError, match="changed after it was planned"):
        run_all(tmp_path, plan(root, spec(1), spec(2)), jobs=1)


def test_keys_of_a_megabyte_do_not_make_a_record_too_large_to_be_read(tmp_path):
    script = """
        import json, sys
        json.dump({"k" * 5_000_000: 1}, open(sys.argv[2] + "/m.json", "w"))
    """
    run = run_one(tmp_path, script)
    assert run.status is Status.NO_METRIC
    assert Store.open(tmp_path / "store").result(run.key) is not None


def test_rubbish_in_the_store_breaks_neither_history_nor_standing(tmp_path):
    run = run_one(tmp_path, FINE)
    store = Store.open(tmp_path / "store")
    folder = store.folder(run.key)
    (folder / "a².lock").write_text("")
    (folder / "result.a².json").write_text("")
    (store.root / "runs" / "zz").write_text("a file")
    (folder / "result.json").unlink()
    (folder / "result.json").mkdir()
    (folder / "a1" / "record.json").write_text('{"metrics": ' + "[" * 100_000)
    assert store.history().done == frozenset()
    assert store.standing(run.key).result is None


@pytest.mark.parametrize("number", ["NaN", "Infinity", '"NaN"', "1e999"])
def test_a_forged_record_without_finite_numbers_is_not_taken(tmp_path, number):
    run = run_one(tmp_path, FINE)
    path = directory(tmp_path, run) / "record.json"
    path.write_text(path.read_text().replace("0.01", number))
    assert stored.record(path) is None


@pytest.mark.parametrize("claim", ["[" * 4000, '{"host": "%s", "pid": []}', '{"pid": 1e999}'])
def test_a_forged_lock_is_judged_by_its_age(tmp_path, claim):
    path = tmp_path / "a1.lock"
    path.write_text(claim.replace("%s", lock._here()["host"]))
    assert lock.alive(path) in {True, False}
    path.unlink()
    os.mkfifo(path)
    assert lock.alive(path)


# --- what an artifact and a claims file say ----------------------------------------------------


def test_the_whole_disk_is_no_artifact(tmp_path):
    for root in ("/", f"{tmp_path}/" + "../" * 20):
        with pytest.raises(UsageError, match="the whole disk"):
            scan(Path(root))


def test_a_tree_nested_too_deep_is_refused_in_words(tmp_path):
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(150):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    with pytest.raises(RepcheckError, match="nested deeper"):
        scan(tmp_path)


def test_a_pipe_in_place_of_a_planned_file_does_not_hang(tmp_path):
    root = artifact(tmp_path)
    tree = scan(root)
    (root / "t.py").unlink()
    os.mkfifo(root / "t.py")
    with pytest.raises(RepcheckError, match="changed after it was planned"):
        copy(tree, tmp_path / "copy")
    with pytest.raises(OSError, match="not a regular file"):
        file_sha256(root / "t.py")


@pytest.mark.parametrize("cwd", ["..", "../..", "a/../..", "/tmp", "/"])
def test_a_command_does_not_start_outside_its_copy(tmp_path, cwd):
    run = run_one(tmp_path, FINE, cwds=(cwd,))
    assert run.status is Status.NOT_STARTED
    assert "leads out of the artifact" in run.reason


@pytest.mark.parametrize("env", [{"A=B": "x"}, {"A": "x\0y"}, {"A": "x" * 3_000_000}])
def test_variables_that_no_program_can_have_are_said_in_words(tmp_path, env):
    run = run_one(tmp_path, FINE, env=env)
    assert run.status is Status.NOT_STARTED
    assert "could not be started" in run.reason


def test_the_private_folders_and_the_interpreter_are_not_the_claims_files_to_set(tmp_path):
    script = """
        import json, os, sys
        here = [os.environ["HOME"], os.environ["REPCHECK_RUN"], os.environ["TMPDIR"]]
        json.dump({"acc": int("/evil" not in here)}, open(sys.argv[2] + "/m.json", "w"))
    """
    root = artifact(tmp_path, script)
    (root / "python").write_text("#!/bin/sh\nexit 7\n")
    (root / "python").chmod(0o755)
    names = ("HOME", "REPCHECK_RUN", "TMPDIR", "PATH")
    (run,) = run_all(tmp_path, plan(root, spec(env=dict.fromkeys(names, "/evil"))))
    assert run.metrics == {"acc": 1.0}


# --- what a person is shown --------------------------------------------------------------------

ESCAPES = "\x1b]0;owned\x07\x9b2J\u202e"
HOSTILE = """
    repcheck: 1
    artifact: {root: art, env: {vars: {LD_PRELOAD: ./evil.so}}}
    methods:
      "o\\u009b2J\\u202e::error::x": {role: proposed, train: {command: "python train.py ours {seed} {out}"}}
    metrics:
      acc: {higher_is_better: true, unit: percent, from: "{out}/m.json:acc"}
    claims:
      - {id: "a/../../\\u009b[x](javascript:1)<script>\\n::error::y", text: "\\u202e\\u009b", metric: acc,
         method: "o\\u009b2J\\u202e::error::x", value: 93.0}
"""  # noqa: E501


def clean(*texts: str) -> None:
    for text in texts:
        assert not set(text) & {"\x1b", "\x07", "\x9b", "\u202e"}, text
        assert not any(line.startswith("::error::") for line in text.splitlines())


def test_no_name_reaches_the_terminal_as_an_order(tmp_path):
    file = paper(tmp_path, HOSTILE)
    (tmp_path / "art" / f"link{ESCAPES}").symlink_to("/etc/passwd")
    for words in (["lint"], ["plan"], ["plan", "--format", "jsonl"], ["check", "-o", "o"]):
        done = repcheck(words[0], file, *words[1:], cwd=tmp_path)
        clean(done.stdout, done.stderr)
    assert "LD_PRELOAD=./evil.so" in done.stderr


def test_keys_that_a_run_wrote_reach_no_terminal_and_no_report_as_orders(tmp_path):
    script = """
        import json, sys
        keys = ["\\x1b]0;owned\\x07\\x9b2J\\u202e", "\\n::error::x", "<script>"]
        json.dump(dict.fromkeys(keys, 1), open(sys.argv[3] + "/m.json", "w"))
    """
    file = paper(tmp_path, HOSTILE, script)
    formats = [word for name in ("markdown", "github", "concise") for word in ("--format", name)]
    done = repcheck("check", file, "-y", "--seeds", "1", "-o", "o", *formats, cwd=tmp_path)
    page = (tmp_path / "o" / "report.html").read_text()
    clean(done.stdout, done.stderr, page.replace("\n", " "))
    assert "<script" not in page
    assert r"\[x\](javascript" in done.stdout
    assert "no key 'acc'; there is" in done.stderr


def test_a_misspelt_key_with_escapes_is_shown_harmless(tmp_path):
    file = tmp_path / "claims.yaml"
    file.write_text('repcheck: 1\n"me\\u009b2J\\u202ethods": {}\n')
    clean(repcheck("lint", file, cwd=tmp_path).stdout)


def test_forged_results_and_plans_are_never_a_traceback(tmp_path):
    file = paper(tmp_path, VALUE, SCORE)
    repcheck("check", file, "-y", "-q", "--seeds", "2", "-o", "o", cwd=tmp_path)
    result = results(tmp_path / "o")[0]
    good = json.loads(result.read_text())
    for change in (
        {"metrics": {"acc": 1e308}},
        {"metrics": []},
        {"attempt": -7},
        {"wall_s": 1e300},
    ):
        result.write_text(json.dumps(good | change))
        repcheck("report", "o", cwd=tmp_path)
    for path in (tmp_path / "o" / "store" / "plan").iterdir():
        path.write_text('{"run": ' + "[" * 100_000)
    assert repcheck("report", "o", cwd=tmp_path).returncode == 2
