"""The command line as a person, a script and a shell meet it: real processes, real files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_support import (
    CLAIMS,
    ROOT,
    SCORE,
    VALUE,
    at_terminal,
    environment,
    paper,
    repcheck,
    report,
    results,
    unseen,
)

from repcheck import __version__

FAILING = "import sys; sys.exit('no such luck')"
THREE_TIMES = CLAIMS.replace('ours {seed} {out}", epochs: 10', 'ours {seed} {out}", epochs: 30')
ONE_CODE = {
    "ours": "python train.py ours {seed} {out}",
    "base": "python train.py base {seed} {out}",
}


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a paper that was checked; the report is in `out/`."""
    folder = tmp_path_factory.mktemp("checked")
    paper(folder)
    formats = [f"{name}=more/{name}" for name in ("json", "html", "markdown", "github", "concise")]
    words = [word for one in formats for word in ("--format", one)]
    done = repcheck("check", "--yes", "claims.yaml", "-o", "out", *words, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "screen").write_text(done.stdout)
    return folder


# --- help, version, verbs -----------------------------------------------------------------------


def test_help_names_the_verbs_and_every_exit_code(tmp_path: Path) -> None:
    said = repcheck("--help", cwd=tmp_path)
    assert said.returncode == 0
    for verb in ("lint", "plan", "run", "check", "report", "explain", "rules", "schema"):
        assert f"\n  {verb} " in said.stdout
    codes = said.stdout.split("Exit codes:")[1]
    for code in ("0 nothing flagged", "1 flagged", "2 usage", "3 undetermined", "4 the claims",
                 "5 a rerun", "70 internal", "130 interrupted"):  # fmt: skip
        assert code in codes


@pytest.mark.parametrize("verb", ["lint", "plan", "run", "check", "report", "explain", "rules"])
def test_every_verb_explains_itself(verb: str, tmp_path: Path) -> None:
    said = repcheck(verb, "-h", cwd=tmp_path)
    assert said.returncode == 0
    assert said.stdout.startswith(f"Usage: python -m repcheck {verb} ")


def test_the_version_is_the_packages(tmp_path: Path) -> None:
    said = repcheck("--version", cwd=tmp_path)
    assert (said.returncode, said.stdout) == (0, f"repcheck, version {__version__}\n")


@pytest.mark.parametrize(
    "words",
    [
        ("frobnicate",),
        ("lint",),
        ("lint", "claims.yaml", "another.yaml"),
        ("check", "claims.yaml", "--fail-on", "everything"),
        ("check", "claims.yaml", "--jobs", "0"),
        ("check", "claims.yaml", "--seeds", "1000000000000"),
        ("check", "claims.yaml", "--time-limit", "nan"),
        ("check", "claims.yaml", "--time-limit", "1e400"),
        ("check", "claims.yaml", "--rerun", "some"),
        ("plan", "claims.yaml", "--format", "xml"),
    ],
    ids=" ".join,
)
def test_a_command_line_that_cannot_be_used_exits_2(words: tuple[str, ...], tmp_path: Path) -> None:
    paper(tmp_path)
    done = repcheck(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "Error: " in done.stderr
    assert done.stdout == ""


def test_the_schema_is_json(tmp_path: Path) -> None:
    said = repcheck("schema", cwd=tmp_path)
    assert said.returncode == 0
    assert json.loads(said.stdout)["$schema"].startswith("https://json-schema.org/")


def test_lint_runs_nothing_and_writes_nothing(tmp_path: Path) -> None:
    paper(tmp_path)
    done = repcheck("lint", "claims.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "form and references are in order" in done.stdout
    assert sorted(item.name for item in tmp_path.iterdir()) == ["art", "claims.yaml"]


def test_lint_exits_1_for_arithmetic_that_does_not_hold_with_the_line_and_a_caret(
    tmp_path: Path,
) -> None:
    paper(tmp_path, CLAIMS.replace("improvement: 5.0", "improvement: 7.5"))
    done = repcheck("lint", "claims.yaml", cwd=tmp_path)
    assert done.returncode == 1
    [found] = [line for line in done.stdout.splitlines() if ": RC9" in line]
    assert found.startswith("claims.yaml:1")
    assert "^^^" in done.stdout
    assert "  help: " in done.stdout


def test_plan_shows_every_run_and_writes_nothing(tmp_path: Path) -> None:
    paper(tmp_path)
    table = repcheck("plan", "claims.yaml", cwd=tmp_path)
    lines = repcheck("plan", "claims.yaml", "--format", "jsonl", cwd=tmp_path)
    assert (table.returncode, lines.returncode) == (0, 0)
    assert table.stdout.count("to do\n") == 13  # ten runs, two repeats and their sum
    assert "cost: unknown before the first runs" in table.stdout
    found = [json.loads(line) for line in lines.stdout.splitlines()]
    assert sum("run" in line for line in found) == 12
    assert sorted(item.name for item in tmp_path.iterdir()) == ["art", "claims.yaml"]


# --- a person's word ----------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["run", "check"])
def test_without_a_terminal_and_without_yes_nothing_is_run_and_nothing_written(
    verb: str, tmp_path: Path
) -> None:
    paper(tmp_path)
    done = repcheck(verb, "claims.yaml", cwd=tmp_path)
    assert done.returncode == 2
    [fresh, *_] = keys(tmp_path)[1]
    assert f"6 x  python train.py ours {fresh} {{out}}" in done.stderr
    assert "say --yes" in done.stderr
    assert sorted(item.name for item in tmp_path.iterdir()) == ["art", "claims.yaml"]


def test_a_person_who_says_no_is_obeyed(tmp_path: Path) -> None:
    paper(tmp_path)
    code, screen = at_terminal("check", "claims.yaml", cwd=tmp_path, answers=["n\n"])
    assert code == 2
    assert "6 x  python train.py base " in screen
    assert "nothing was run" in screen
    assert sorted(item.name for item in tmp_path.iterdir()) == ["art", "claims.yaml"]


def test_only_enter_is_a_no(tmp_path: Path) -> None:
    paper(tmp_path)
    code, screen = at_terminal("run", "claims.yaml", cwd=tmp_path, answers=["\n"])
    assert code == 2, screen
    assert not (tmp_path / "repcheck-out").exists()


def test_a_person_who_says_yes_gets_the_runs_a_bar_and_colours(tmp_path: Path) -> None:
    paper(tmp_path)
    code, screen = at_terminal("check", "claims.yaml", cwd=tmp_path, answers=["y\n"])
    assert code == 0, screen
    said = unseen(screen)
    assert "Run them with your rights on this machine? [y/N]: y" in said
    assert "12/12" in said
    assert "reproduced" in said
    assert said != screen
    assert len(results(tmp_path / "repcheck-out" / tmp_path.name)) == 12


def test_a_second_check_has_nothing_to_ask(checked: Path) -> None:
    done = repcheck("check", "claims.yaml", "-o", "out", "-q", cwd=checked)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_commands_that_are_shown_are_those_that_will_be_started(tmp_path: Path) -> None:
    text = VALUE.replace("ours: {role: proposed,", "ours: {role: proposed, hyperparameters:"
                         " {model: 'wide; rm -rf ~'},")  # fmt: skip
    paper(tmp_path, text.replace("train.py ours", "train.py {model}"))
    done = repcheck("run", "claims.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "6 x  python train.py 'wide; rm -rf ~' " in done.stderr


def test_an_output_folder_inside_the_artifact_is_no_part_of_it_however_it_is_named(
    tmp_path: Path,
) -> None:
    paper(tmp_path, VALUE.replace("root: art", "root: ."))
    for name in ("train.py", "data.csv"):
        (tmp_path / "art" / name).rename(tmp_path / name)
    for file in ("claims.yaml", f"../{tmp_path.name}/claims.yaml", tmp_path / "claims.yaml"):
        done = repcheck("run", "-y", file, "--seeds", "2", "-o", "out", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert len(results(tmp_path / "out")) == 3


def test_what_a_terminal_would_hide_in_a_command_is_shown(tmp_path: Path) -> None:
    sly = VALUE.replace("train.py ours", r"train.py ours \e[8mhidden")
    paper(tmp_path, sly)
    done = repcheck("check", "claims.yaml", cwd=tmp_path)
    assert "\x1b" not in done.stderr
    assert done.returncode in {2, 4}


@pytest.mark.parametrize("how", ["flag", "file"])
def test_a_foreign_artifact_is_refused_even_with_yes(how: str, tmp_path: Path) -> None:
    foreign = "repcheck: 1\n    trust: foreign" if how == "file" else "repcheck: 1"
    paper(tmp_path, CLAIMS.replace("repcheck: 1", foreign))
    flag = ["--foreign"] if how == "flag" else []
    done = repcheck("check", "--yes", "claims.yaml", *flag, cwd=tmp_path)
    assert done.returncode == 2
    assert "no sandbox" in done.stderr
    assert "Nothing was run" in done.stderr
    assert sorted(item.name for item in tmp_path.iterdir()) == ["art", "claims.yaml"]


def test_a_claims_file_cannot_make_repcheck_less_careful(tmp_path: Path) -> None:
    paper(tmp_path, CLAIMS.replace("repcheck: 1", "repcheck: 1\n    trust: own"))
    assert repcheck("check", "claims.yaml", cwd=tmp_path).returncode == 2
    done = repcheck("check", "--yes", "--foreign", "claims.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert not (tmp_path / "repcheck-out").exists()


# --- where things go ----------------------------------------------------------------------------


def test_several_formats_are_written_at_once_and_the_screen_keeps_its_own(checked: Path) -> None:
    more = {path.name: path.read_text(encoding="utf-8") for path in (checked / "more").iterdir()}
    assert sorted(more) == ["concise", "github", "html", "json", "markdown"]
    assert json.loads(more["json"])["judgements"] == report(checked / "out")["judgements"]
    assert more["html"].lower().startswith("<!doctype html>")
    assert "| claim |" in more["markdown"]
    assert "C1 ✓ reproduced" in (checked / "screen").read_text()


def test_a_format_without_a_file_is_all_there_is_on_standard_output(checked: Path) -> None:
    done = repcheck("report", "out", "--format", "json", cwd=checked)
    assert done.returncode == 0
    assert json.loads(done.stdout) == report(checked / "out")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("--format", "htlm"), "did you mean `html`?"),
        (("--format", "json=a.json", "--format", "pdf=b"), "choose from "),
        (("--format", "json="), "names no file"),
        (("--thresholds", "absent.yaml"), "there is no such file"),
        (("--thresholds", "rule.yaml"), "did you mean `RC102`?"),
        (("--thresholds", "option.yaml"), "no threshold `maior`; it has: minor, major"),
        (("--thresholds", "infinite.yaml"), "RC102.major: expected a number"),
        (("--thresholds", "list.yaml"), "--thresholds: expected YAML like"),
        (("--thresholds", "torn.yaml"), "torn.yaml:2:1: not YAML"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_an_unknown_format_rule_or_threshold_is_said_before_anything_runs(
    words: tuple[str, ...], hint: str, tmp_path: Path
) -> None:
    paper(tmp_path)
    for name, text in {
        "rule": "RC1022: {major: 2}",
        "option": "RC102: {maior: 2}",
        "word": "RC102: {major: much}",
        "infinite": "RC102: {major: 1e999}",
        "list": "[RC102]",
        "torn": "RC102: {major: 2\n",
    }.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    done = repcheck("check", "--yes", "claims.yaml", "-o", "out", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert hint in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_holds_the_papers_own_files_is_refused(tmp_path: Path) -> None:
    file = paper(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "report.html").write_text("mine")
    before = file.read_bytes()
    for out in (".", "art", "mine"):
        done = repcheck("check", "--yes", "claims.yaml", "-o", out, cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert "choose another folder with --out" in done.stderr
    assert file.read_bytes() == before
    assert (tmp_path / "mine" / "report.html").read_text() == "mine"
    assert not (tmp_path / "store").exists()


def test_the_default_folders_of_two_claims_files_beside_each_other_differ(tmp_path: Path) -> None:
    paper(tmp_path, VALUE)
    (tmp_path / "other.yaml").write_bytes((tmp_path / "claims.yaml").read_bytes())
    for name in ("claims.yaml", "other.yaml"):
        assert repcheck("run", "-y", name, "--seeds", "1", cwd=tmp_path).returncode == 0
    kept = sorted(item.name for item in (tmp_path / "repcheck-out").iterdir())
    assert kept == [tmp_path.name, f"{tmp_path.name}-other"]


@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_reader_who_goes_away_changes_nothing(checked: Path, buffered: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "repcheck", "report", "out"],
        cwd=checked,
        env=environment() | {"PYTHONUNBUFFERED": buffered},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read().decode()
        assert process.wait(timeout=30) == 0
    assert errors == "report: out/report.html\n"


@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_full_standard_output_is_an_error_and_the_files_are_whole(
    checked: Path, buffered: str
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "repcheck", "report", "out"],
            cwd=checked, env=environment() | {"PYTHONUNBUFFERED": buffered}, stdout=full,
            stderr=subprocess.PIPE, check=False, text=True,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("standard output: cannot be written (No space left on device)")
    assert report(checked / "out")["headline"]["verdict"] == "reproduced"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_closed_stream_is_no_reason_to_break(closed: str, checked: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"$@" {closed}', "sh", sys.executable, "-m", "repcheck", "check", "--yes",
         "claims.yaml", "-o", "out"],
        cwd=checked, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_terminal_that_knows_no_unicode_still_gets_its_answer(checked: Path) -> None:
    done = repcheck("report", "out", cwd=checked, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "reproduced" in done.stdout


def test_a_folder_whose_name_is_not_unicode_is_a_folder(tmp_path: Path) -> None:
    paper(tmp_path, VALUE)
    out = os.fsdecode(b"out\xff")
    done = repcheck("check", "--yes", "claims.yaml", "-o", out, "--seeds", "2", cwd=tmp_path)
    assert done.returncode in {0, 1}, done.stderr
    assert "U+DCFF" in (tmp_path / out / "report.html").read_text(encoding="utf-8")


def test_no_color_is_obeyed_and_a_terminal_gets_colours(checked: Path) -> None:
    _, plain = at_terminal("report", "out", cwd=checked, NO_COLOR="1")
    _, coloured = at_terminal("report", "out", cwd=checked)
    assert "\x1b[" not in plain
    assert "\x1b[" in coloured
    assert unseen(coloured) == plain
    assert "\x1b[" in repcheck("report", "out", cwd=checked, FORCE_COLOR="1").stdout


def test_quiet_leaves_only_the_files_and_the_exit_code(checked: Path) -> None:
    done = repcheck("report", "out", "--quiet", cwd=checked)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_result_is_on_standard_output_and_the_progress_is_not(tmp_path: Path) -> None:
    paper(tmp_path, VALUE)
    done = repcheck("check", "--yes", "claims.yaml", "--seeds", "3", cwd=tmp_path)
    assert "4 of 4 runs done" in done.stderr
    assert "runs done" not in done.stdout
    assert "ours has 93 %" in done.stdout


# --- seeds and keys -----------------------------------------------------------------------------


def keys(folder: Path, *words: str) -> tuple[list[str], list[int]]:
    done = repcheck("plan", "claims.yaml", "--format", "jsonl", *words, cwd=folder)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [line["run"]["key"] for line in lines if "run" in line], lines[0]["fresh_seeds"]


def test_a_comment_changes_neither_seeds_nor_keys_a_salt_both_and_code_the_keys(
    tmp_path: Path,
) -> None:
    file = paper(tmp_path)
    before = keys(tmp_path)
    file.write_text("# a remark\n" + file.read_text().replace("Tiny", "Small"))
    assert keys(tmp_path) == before
    salted = keys(tmp_path, "--seed-salt", "ours")
    assert not set(salted[1]) & set(before[1])
    assert not set(salted[0]) & set(before[0])
    (file.parent / "art" / "train.py").write_text("print('other')")
    after = keys(tmp_path)
    assert after[1] == before[1]
    assert not set(after[0]) & set(before[0])


def test_the_salt_is_in_the_report_and_on_the_first_page(tmp_path: Path) -> None:
    paper(tmp_path, VALUE)
    words = ("check", "--yes", "claims.yaml", "--seeds", "2", "--seed-salt", "a reviewer's")
    repcheck(*words, "-o", "out", cwd=tmp_path)
    found = report(tmp_path / "out")
    assert found["seed_salt"] == "a reviewer's"
    assert found["plan"]["seeds"]["fresh"] == sorted({run["seed"] for run in found["runs"]})
    assert "a reviewer" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    before = found["plan"]["seeds"]["fresh"]
    repcheck("report", "out", "-q", cwd=tmp_path)
    assert report(tmp_path / "out")["seed_salt"] == "a reviewer's"
    assert report(tmp_path / "out")["plan"]["seeds"]["fresh"] == before


# --- a seed run again ---------------------------------------------------------------------------


UNSEEDED = SCORE.replace("random.Random(method + seed)", "random")


@pytest.mark.parametrize("script", [SCORE, UNSEEDED], ids=["seeded", "unseeded"])
def test_a_seed_run_again_tells_whether_a_run_can_be_repeated_and_is_no_value_more(
    script: str, tmp_path: Path
) -> None:
    paper(tmp_path, CLAIMS, script)
    done = repcheck("check", "-y", "claims.yaml", "-o", "out", cwd=tmp_path)
    assert done.returncode in {0, 1}, done.stderr
    found = report(tmp_path / "out")
    [claim] = found["claims"]
    assert claim["reproduction"]["n"] == {"method": 5, "baseline": 5}
    ours = [run for run in found["runs"] if run["method"] == "ours"]
    assert [run["replicate"] for run in ours] == [0] * 5 + [1]
    once, again = ours[0], ours[-1]
    assert once["command"] == again["command"]
    assert once["directory"] != again["directory"]
    equal = once["metrics"] == again["metrics"]
    first = {m: [r["metrics"]["acc"] for r in found["runs"] if r["method"] == m][:5]
             for m in ("ours", "base")}  # fmt: skip
    gain = (sum(first["ours"]) - sum(first["base"])) / 5
    assert claim["reproduction"]["observed"] == pytest.approx(gain, abs=1e-12)
    said = [one for one in found["judgements"] if one["rule"] == "RC812"]
    assert {one["subject"]["id"] for one in said} == {"ours", "base"}
    assert {one["state"] for one in said} == {"cleared" if script is SCORE else "flagged"}
    assert equal is (script is SCORE)
    words = "are equal in metrics" if equal else "differ in acc by"
    assert all(f"with seed {once['seed']} {words}" in one["message"] for one in said)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "fresh, again" in page
    assert "2 runs of a seed made again" in page


# --- thresholds, strictness, exit codes ---------------------------------------------------------


@pytest.fixture(scope="module")
def unequal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checked paper whose method trains three times as long, by its own words; nothing to run."""
    folder = tmp_path_factory.mktemp("unequal")
    text = CLAIMS.replace("artifact: {root: art}", "datasets: {d: {train: {size: 320}}}")
    for name, length in (("ours", "iterations: 300"), ("base", "epochs: 10")):
        old = f"role: {'proposed' if name == 'ours' else 'baseline'}, train: {{command: "
        text = text.replace(
            f'{old}"{ONE_CODE[name]}", epochs: 10}}',
            f"role: {'proposed' if name == 'ours' else 'baseline'}, dataset: d,"
            f" train: {{{length}, batch_size: 32}}",
        )
    paper(folder, text)
    done = repcheck("check", "--yes", "claims.yaml", "-o", "out", cwd=folder)
    assert done.returncode == 1, done.stdout + done.stderr
    return folder


def rc102(folder: Path) -> dict[str, Any]:
    [found] = [one for one in report(folder / "out")["judgements"] if one["rule"] == "RC102"]
    return dict(found)


def test_a_threshold_changes_the_judgement_and_stands_on_the_first_page(unequal: Path) -> None:
    assert (rc102(unequal)["state"], rc102(unequal)["severity"]) == ("flagged", "major")
    assert report(unequal / "out")["thresholds"] == []
    file = unequal / "thresholds.yaml"
    file.write_text("RC102: {major: 4, minor: 1.05}  # minor is the default\n")
    done = repcheck("report", "out", "--thresholds", file, cwd=unequal)
    assert done.returncode == 0
    assert (rc102(unequal)["state"], rc102(unequal)["severity"]) == ("flagged", "minor")
    assert report(unequal / "out")["thresholds"] == [
        {"rule": "RC102", "option": "major", "value": 4, "default": 1.25}
    ]
    assert "Judged with changed thresholds: RC102 major = 4." in done.stdout
    assert "RC102" in (unequal / "out" / "report.html").read_text().split("<main")[1][:20000]
    assert repcheck("report", "out", "--fail-on", "minor", "--thresholds", file,
                    cwd=unequal).returncode == 1  # fmt: skip
    assert repcheck("report", "out", cwd=unequal).returncode == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--fail-on", "critical"), 0),
        (("--fail-on", "never"), 0),
        (("--fail-on", "never", "--strict"), 3),
        (("--strict",), 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_fail_on_and_strict_decide_the_exit_code_in_this_order(
    words: tuple[str, ...], code: int, unequal: Path
) -> None:
    assert repcheck("report", "out", "-q", *words, cwd=unequal).returncode == code


def test_strict_exits_3_where_something_is_undetermined(checked: Path) -> None:
    assert repcheck("report", "out", "-q", "--strict", cwd=checked).returncode == 3


def test_a_claim_that_is_not_reproduced_exits_1_whatever_fail_on_says(tmp_path: Path) -> None:
    paper(tmp_path, CLAIMS.replace("5.0", "10.0").replace("mean: 93.0", "mean: 98.0"))
    done = repcheck("check", "-y", "claims.yaml", "-o", "out", "--fail-on", "never", cwd=tmp_path)
    assert report(tmp_path / "out")["headline"]["verdict"] == "not-reproduced"
    assert done.returncode == 1


def test_flagged_goes_before_a_failed_rerun_and_that_before_strict(tmp_path: Path) -> None:
    sometimes = SCORE + "\n    sys.exit(int(seed[-1] in '02468' and method == 'base'))\n"
    paper(tmp_path, CLAIMS, sometimes)
    seeds = [str(seed) for seed in keys(tmp_path)[1]]
    assert any(seed[-1] in "02468" for seed in seeds), seeds
    done = repcheck("check", "-y", "claims.yaml", "-o", "out", "--strict", cwd=tmp_path)
    assert done.returncode == 5
    paper(tmp_path, CLAIMS.replace("improvement: 5.0", "improvement: 9.0"), sometimes)
    done = repcheck("check", "-y", "claims.yaml", "-o", "out", "--strict", cwd=tmp_path)
    assert done.returncode == 1


def test_an_invalid_file_goes_before_a_missing_word(tmp_path: Path) -> None:
    paper(tmp_path, CLAIMS.replace("role: baseline", "rolle: baseline"))
    for verb in ("plan", "run", "check"):
        done = repcheck(verb, "claims.yaml", cwd=tmp_path)
        assert done.returncode == 4
        assert "did you mean `role`?" in done.stderr


def test_a_wrong_command_line_goes_before_an_invalid_file(tmp_path: Path) -> None:
    paper(tmp_path, "repcheck: [")
    assert repcheck("check", "claims.yaml", "--fail-on", "x", cwd=tmp_path).returncode == 2


def test_run_says_that_a_rerun_failed(tmp_path: Path) -> None:
    paper(tmp_path, VALUE, FAILING)
    done = repcheck("run", "--yes", "claims.yaml", "--seeds", "2", "-o", "out", cwd=tmp_path)
    assert done.returncode == 5
    assert "no such luck" in done.stderr
    assert "repcheck report out" in done.stderr
    assert not (tmp_path / "out" / "report.json").exists()


# --- reporting again ----------------------------------------------------------------------------


def without_circumstances(folder: Path) -> str:
    found = report(folder)
    assert found.pop("created")
    assert found.pop("command")
    return json.dumps(found, indent=1)


def test_reporting_again_says_the_same_from_anywhere(checked: Path, tmp_path: Path) -> None:
    before = without_circumstances(checked / "out")
    done = repcheck("report", checked / "out", "-q", cwd=tmp_path)
    assert done.returncode == 0
    assert without_circumstances(checked / "out") == before


def test_reporting_again_keeps_what_the_plan_left_out(tmp_path: Path) -> None:
    short = VALUE + "    budget: {max_trainings: 3}\n"
    paper(tmp_path, short)
    repcheck("check", "--yes", "claims.yaml", "-o", "out", "-q", cwd=tmp_path)
    before = without_circumstances(tmp_path / "out")
    assert len(report(tmp_path / "out")["plan"]["left_out"]) == 3
    (tmp_path / "claims.yaml").unlink()
    repcheck("report", "out", "-q", cwd=tmp_path)
    assert without_circumstances(tmp_path / "out") == before


def test_run_and_then_report_is_check(checked: Path, tmp_path: Path) -> None:
    paper(tmp_path)
    assert repcheck("run", "--yes", "claims.yaml", "-o", "out", cwd=tmp_path).returncode == 0
    assert repcheck("report", "out", cwd=tmp_path).returncode == 0
    one, two = report(tmp_path / "out"), report(checked / "out")
    assert one["claims"] == two["claims"]
    assert one["judgements"] == two["judgements"]


@pytest.mark.parametrize("wrong", ["absent", "empty", "torn", "file"])
def test_a_folder_that_no_check_left_is_refused(wrong: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    if wrong == "file":
        folder.write_text("no folder")
    elif wrong != "absent":
        folder.mkdir()
    if wrong == "torn":
        (folder / "check.json").write_text('{"file": "claims.ya')
        (folder / "claims.yaml").write_text("repcheck: 1")
    done = repcheck("report", "out", cwd=tmp_path)
    assert done.returncode == 2
    said = "not a folder that `repcheck check` or `repcheck run` left"
    assert ("was changed or is another version's" if wrong == "torn" else said) in done.stderr
    assert "--out" in done.stderr


def test_a_folder_whose_plan_is_gone_or_changed_says_so(tmp_path: Path) -> None:
    paper(tmp_path, VALUE)
    repcheck("run", "--yes", "claims.yaml", "--seeds", "2", "-o", "out", cwd=tmp_path)
    about = tmp_path / "out" / "check.json"
    whole = about.read_text()
    about.write_text(whole.replace('"left_out": []', '"left_out": [{"reason": "laziness"}]'))
    done = repcheck("report", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "check.json: was changed" in done.stderr
    about.write_text(whole)
    for plan in (tmp_path / "out" / "store" / "plan").iterdir():
        plan.unlink()
    done = repcheck("report", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "its plan is gone" in done.stderr


# --- rules --------------------------------------------------------------------------------------


def test_a_rule_is_explained_by_its_code_and_by_its_name(tmp_path: Path) -> None:
    pages = [
        repcheck("explain", word, cwd=tmp_path).stdout
        for word in ("RC103", "rc103", "repeated-samples", "repeated_samples")
    ]
    assert len(set(pages)) == 2
    assert pages[0].startswith("# RC103 repeated-samples")
    assert pages[2].endswith(pages[0])  # the trick of that name comes first
    for part in ("## What it catches", "## When it is legitimate", "## How it is decided",
                 "## How to fix", "## Source", "## Thresholds", "## Example: flagged"):  # fmt: skip
        assert part in pages[0]


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("RC1003", "did you mean RC103?"),
        ("rc1003", "did you mean RC103?"),
        ("repeated-sample", "did you mean repeated-samples?"),
        ("1.33", "did you mean 1.3?"),
        (
            "everything",
            "`repcheck rules` lists them all, `repcheck rules --tricks` the tricks",
        ),
    ],
)
def test_an_unknown_rule_is_a_usage_error_with_the_nearest(
    word: str, hint: str, tmp_path: Path
) -> None:
    done = repcheck("explain", word, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"no rule or trick '{word}'; {hint}\n"


def test_the_rules_are_listed_for_people_and_for_programs(tmp_path: Path) -> None:
    known = json.loads(repcheck("rules", "--format", "json", cwd=tmp_path).stdout)
    table = repcheck("rules", cwd=tmp_path).stdout.splitlines()
    assert [line.split()[0] for line in table] == [rule["code"] for rule in known]
    assert {"RC102", "RC511", "RC901"} <= {rule["code"] for rule in known}
    for rule in known:
        assert rule["severity"] in {"note", "minor", "major", "critical"}
        assert all(rule[key] for key in ("name", "title", "what_it_catches", "how_to_fix"))


# --- shells -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("repcheck che", ["check"]),
        ("repcheck check --fo", ["--foreign", "--format"]),
        ("repcheck check --fail-on m", ["minor", "major"]),
        ("repcheck completion z", ["zsh"]),
    ],
)
def test_bash_completes_verbs_options_and_words(
    line: str, offered: list[str], tmp_path: Path
) -> None:
    program = tmp_path / "repcheck"
    program.write_text(f"#!{sys.executable}\nfrom repcheck.cli import main\nmain()\n")
    program.chmod(0o755)
    path = f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    script = (
        'eval "$(repcheck completion bash)"; '
        f"COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); "
        '_repcheck_completion repcheck; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment(PATH=path), capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert sorted(done.stdout.split()) == sorted(offered), done.stderr


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_their_script(shell: str, tmp_path: Path) -> None:
    said = repcheck("completion", shell, cwd=tmp_path)
    assert said.returncode == 0
    assert f"_REPCHECK_COMPLETE={shell}_complete" in said.stdout


def test_the_root_of_the_sources_is_not_needed(tmp_path: Path) -> None:
    assert ROOT not in tmp_path.parents
    assert repcheck("lint", ROOT / "claims_examples" / "minimal" / "claims.yaml",
                    cwd=tmp_path).returncode == 0  # fmt: skip
