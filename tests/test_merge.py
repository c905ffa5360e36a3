"""Checks made at several sites, joined: real runs of one toy artifact that a machine can shift."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from repcheck.errors import RepcheckError
from repcheck.merge import MergeRequest, merge
from repcheck.merge_sites import read_sites
from repcheck.pipeline import Request, rerun
from repcheck.reproduction import reproduce
from tests.cli_support import CLAIMS, paper, repcheck

# The device shifts `ours`, and from two characters on nothing is the same to the last digit.
SCRIPT = """
    import json, os, random, sys
    method, seed, out = sys.argv[1], sys.argv[2], sys.argv[3]
    place = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    if place == "broken" and method == "ours":
        sys.exit("no device")
    score = {"ours": 93.0, "base": 88.0}[method] + random.Random(method + seed).gauss(0, 0.5)
    if place:
        score += random.Random(method + seed + place).gauss(0, 0.1)
        score += 0.3 * len(place) if method == "ours" else 0
    json.dump({"acc": score}, open(out + "/m.json", "w"))
"""
MORE = """
      - {id: C2, text: "ours <b>has</b> 93 %", method: ours, metric: acc, value: 93.0}
      - {id: C3, text: "ours reaches 95 %", method: ours, metric: acc, at_least: 95.0}
"""
SITES = {"lab-a": "", "lab-b": "1", "lab-c": "22", "lab-x": "broken"}


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the folder of a check for each site, and one with seeds of its own."""
    root = tmp_path_factory.mktemp("labs")
    file = paper(root, CLAIMS + MORE, SCRIPT)
    asked = Request(file=file, yes=True, quiet=True, no_probe=True, seeds_per_arm=3)
    with pytest.MonkeyPatch.context() as patch:
        for name, device in SITES.items():
            patch.setenv("CUDA_VISIBLE_DEVICES", device)
            rerun(replace(asked, out=root / name))
        patch.setenv("CUDA_VISIBLE_DEVICES", "1")
        rerun(replace(asked, out=root / "lab-d", seed_salt="d"))
        (root / "art" / "note.txt").write_text("other code")
        rerun(replace(asked, out=root / "lab-e"))
    return root


@pytest.fixture
def joined(labs: Path, tmp_path: Path) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Return what merges sites by name and gives the exit code and merge.json."""

    def run(*names: str, **more: Any) -> tuple[int, dict[str, Any]]:
        folders = tuple(labs / name if (labs / name).exists() else Path(name) for name in names)
        code = merge(MergeRequest(folders=folders, out=tmp_path / "out", quiet=True, **more))
        return code, json.loads((tmp_path / "out" / "merge.json").read_text())

    return run


def part(made: dict[str, Any], claim: str) -> dict[str, Any]:
    found = next(one for one in made["claims"] if one["id"] == claim)
    assert len(found["parts"]) == 1
    return dict(found["parts"][0])


def copied(labs: Path, name: str, to: Path) -> Path:
    shutil.copytree(labs / name, to)
    return to


def refused(joined: Callable[..., Any], *names: Any, **more: Any) -> str:
    with pytest.raises(RepcheckError) as raised:
        joined(*map(str, names), **more)
    assert raised.value.exit_code in {2, 4}
    return str(raised.value)


# --- what it says ---------------------------------------------------------------------------------


def test_three_sites_give_each_claim_a_summary_a_spread_and_a_forecast(joined):
    code, made = joined("lab-a", "lab-b", "lab-c")
    assert code == 1  # C3 is not reproduced
    assert [claim["verdict"] for claim in made["claims"]] == [
        "reproduced", "reproduced", "not-reproduced",
    ]  # fmt: skip
    gain = part(made, "C1")
    over, sites = gain["over_sites"], gain["sites"]
    assert [site["n"] for site in sites] == [[3, 3]] * 3
    assert [site["site"] for site in sites] == ["lab-a", "lab-b", "lab-c"]
    estimates = [site["estimate"] for site in sites]
    assert over["estimate"] == pytest.approx(sum(estimates) / 3)
    assert over["interval"][0] < over["estimate"] < over["interval"][1]
    assert over["level"] == pytest.approx(0.9)
    assert 0.1 < over["tau"] < 1.0
    assert over["tau_interval"][0] <= over["tau"] <= over["tau_interval"][1]
    assert over["prediction"][0] < over["interval"][0] < over["interval"][1] < over["prediction"][1]
    assert over["seeds"] == "all"
    assert "Over 3 sites (n = 3 + 3 each) the gain over `base` is +" in gain["rule"]
    assert "half the claimed gain (+2.50)" in gain["rule"]
    assert "a new site would see [" in gain["rule"]
    assert [len(site["seeds"]) for site in made["sites"]] == [3, 3, 3]


def test_a_value_is_shown_as_the_metric_has_it(joined):
    _, made = joined("lab-a", "lab-b", "lab-c")
    value, bound = part(made, "C2"), part(made, "C3")
    assert value["claimed"] == 93.0
    assert 92.5 < value["over_sites"]["estimate"] < 94.5
    assert value["over_sites"]["shares"]["reported"] > 0
    assert bound["over_sites"]["shares"]["reported"] == 0
    assert bound["over_sites"]["interval"][1] < 95.0
    assert "misses the claimed at least 95.0" in bound["rule"]


def test_where_lower_is_better_gains_are_oriented_and_values_are_not(joined, labs, tmp_path):
    """The same runs read as an error rate: `base` has the lower one."""
    folders = [copied(labs, name, tmp_path / name) for name in ("lab-a", "lab-b", "lab-c")]
    for folder in folders:
        kept = folder / "claims.yaml"
        text = kept.read_text().split("claims:\n")[0].replace("better: true", "better: false")
        kept.write_text(
            text + "claims:\n"
            "  - {id: C1, method: base, baselines: [ours], metric: acc, improvement: 5.0}\n"
            "  - {id: C2, method: base, metric: acc, value: 88.0}\n"
            "  - {id: C3, method: base, metric: acc, at_most: 90.0}\n"
            "  - {id: C4, method: base, metric: acc, at_least: 90.0}\n"
            "  - {id: C5, method: base, metric: acc, value: 80.0}\n"
        )
    code, made = joined(*map(str, folders))
    assert code == 1
    assert [claim["verdict"] for claim in made["claims"]] == [
        "reproduced", "reproduced", "reproduced", "not-reproduced", "not-reproduced",
    ]  # fmt: skip
    gain = part(made, "C1")
    assert gain["over_sites"]["interval"][0] > 2.5
    assert any(caveat.startswith("lower is better") for caveat in gain["caveats"])
    for claim in ("C2", "C3", "C4", "C5"):
        over = part(made, claim)["over_sites"]
        assert 85 < over["interval"][0] < over["estimate"] < over["interval"][1] < 91
        assert over["prediction"][0] < over["estimate"] < over["prediction"][1]
    assert "lies below the reported value plus the margin" in part(made, "C2")["rule"]
    assert "lies above the reported value plus the margin" in part(made, "C5")["rule"]


def test_a_baseline_that_nobody_can_run_stands_as_published(joined, labs, tmp_path):
    folders = [copied(labs, name, tmp_path / name) for name in ("lab-a", "lab-b")]
    for folder in folders:
        kept = folder / "claims.yaml"
        command = 'train: {command: "python train.py base {seed} {out}", epochs: 10}'
        kept.write_text(kept.read_text().replace(command, "train: {epochs: 10}"))
    _, made = joined(*map(str, folders))
    gain = part(made, "C1")
    assert [site["n"] for site in gain["sites"]] == [[3], [3]]
    assert gain["over_sites"]["shares"]["reported"] > 0
    assert "its published mean, std and n stand in for it" in gain["caveats"][0]
    assert gain["over_sites"]["estimate"] == pytest.approx(
        sum(site["estimate"] for site in gain["sites"]) / 2
    )


def test_each_site_keeps_the_verdict_of_its_own_check(joined, labs):
    _, made = joined("lab-a", "lab-b")
    for site in read_sites((labs / "lab-a", labs / "lab-b"), {}):
        (own,) = reproduce(site.claims, site.claims.claims[0], site.evidence)
        row = next(one for one in part(made, "C1")["sites"] if one["site"] == site.name)
        assert (row["verdict"], row["rule"]) == (own.verdict, own.rule)
        assert row["estimate"] == pytest.approx(own.observed)
        assert row["interval"] == pytest.approx(own.interval)


def test_two_sites_tell_no_spread(joined):
    _, made = joined("lab-a", "lab-b")
    gain = part(made, "C1")
    assert gain["over_sites"]["tau"] is None
    assert gain["over_sites"]["prediction"] is None
    assert "the spread between sites cannot be told from 2 of them" in gain["rule"]


def test_seeds_of_their_own_are_told_from_shared_ones(joined):
    _, made = joined("lab-a", "lab-d")
    over = part(made, "C1")["over_sites"]
    assert (over["seeds"], over["shares"]["seeds"]) == ("none", 0.0)
    assert [site["salt"] for site in made["sites"]] == ["", "d"]


def test_a_site_that_could_not_run_an_arm_is_kept_out_by_name_and_the_exit_code_says_so(joined):
    code, made = joined("lab-a", "lab-b", "lab-x")
    assert code == 1  # C3 is not reproduced, which weighs more than a failed run
    gain = part(made, "C1")
    kept = {site["site"]: site["kept_out"] for site in gain["sites"]}
    assert [name for name, why in kept.items() if why] == ["lab-x"]
    assert "all 3 runs of `ours` failed" in kept["lab-x"]
    assert gain["rule"].startswith("Over 2 of 3 sites")
    assert made["sites"][2]["runs"] == {"planned": 8, "ok": 4, "failed": 4, "unfinished": 0}


def test_one_site_that_counts_is_no_verdict_over_sites(joined):
    code, made = joined("lab-a", "lab-x")
    assert code == 5
    assert {claim["verdict"] for claim in made["claims"]} == {"inconclusive"}
    assert "only lab-a has seeds" in part(made, "C1")["rule"]


def test_identical_values_are_told_and_make_nothing_surer(joined, labs, tmp_path):
    twin = copied(labs, "lab-a", tmp_path / "twin")
    for file in [*twin.glob("store/runs/*/*/result.json")]:
        record = json.loads(file.read_text()) | {"started": "2026-01-01T00:00:00.000+00:00"}
        file.unlink()
        file.write_text(json.dumps(record))
    _, made = joined("lab-a", str(twin))
    [note] = made["notes"]
    assert note.startswith("all 6 values of twin equal those of lab-a for the same seeds")
    gain = part(made, "C1")
    alone, over = gain["sites"][0], gain["over_sites"]
    assert over["interval"] == pytest.approx(alone["interval"])
    assert over["shares"]["seeds"] == pytest.approx(1)
    _, made = joined("lab-a", "lab-b", str(twin))
    gain, beside = part(made, "C1"), joined("lab-a", "lab-b")[1]
    assert [site["same_as"] for site in gain["sites"]] == ["", "", "lab-a"]
    assert gain["over_sites"] == part(beside, "C1")["over_sites"]  # the twin counts once
    assert gain["rule"].startswith("Over 2 of 3 sites")


# --- what is refused ------------------------------------------------------------------------------


def test_fewer_than_two_sites_or_one_twice_are_refused(joined, labs, tmp_path):
    assert "at least two" in refused(joined, "lab-a")
    assert "are one folder" in refused(joined, "lab-a", labs / "lab-a" / ".." / "lab-a")
    copy = copied(labs, "lab-a", tmp_path / "copy")
    said = refused(joined, "lab-a", copy)
    assert "8 of 8 runs are the same runs" in said
    assert str(labs / "lab-a") in said
    assert str(copy) in said


def test_what_is_no_check_is_refused(joined, labs, tmp_path):
    assert "no such folder" in refused(joined, "lab-a", tmp_path / "nowhere")
    assert "holds no check" in refused(joined, "lab-a", labs / "art")
    empty = copied(labs, "lab-b", tmp_path / "empty")
    shutil.rmtree(empty / "store" / "runs")
    assert "holds no finished run" in refused(joined, "lab-a", empty)


def test_claims_that_differ_are_refused_with_the_key_and_both_lines(joined, labs, tmp_path):
    other = copied(labs, "lab-b", tmp_path / "other")
    kept = other / "claims.yaml"
    text = kept.read_text()
    kept.write_text("# a comment\n" + text.replace("paper: {title", "paper: {venue: X, title"))
    code, _ = joined("lab-a", str(other))
    assert code == 1
    kept.write_text("# a comment\n" + text.replace("improvement: 5.0", "improvement: 4.0"))
    said = refused(joined, "lab-a", other)
    assert re.search(r"claims\.C1\.improvement: `5\.0` \(\S+lab-a/claims\.yaml:\d+\)", said)
    assert re.search(r"against `4\.0` \(\S+other/claims\.yaml:\d+\)", said)
    kept.write_text(text.replace("train.py base", "train.py  --fast base"))
    assert "methods.base.train.command" in refused(joined, "lab-a", other)
    kept.write_text(text.replace("n: 5}", "n: [}", 1))
    assert "other/claims.yaml:" in refused(joined, "lab-a", other)


def test_other_code_is_merged_only_where_it_is_asked_for_and_said(joined):
    said = refused(joined, "lab-a", "lab-e")
    assert "the artifacts differ" in said
    assert "--allow-other-code" in said
    _, made = joined("lab-a", "lab-e", allow_other_code=True)
    assert made["code"]["same"] is False
    assert "no replication of one artifact" in made["code"]["words"]


def test_names_are_given_taken_from_folders_and_told_apart(joined, labs, tmp_path):
    _, made = joined("lab-a", "lab-b", names={"lab-b": "Lab B, 4 GPUs"})
    assert [site["name"] for site in made["sites"]] == ["lab-a", "Lab B, 4 GPUs"]
    copied(labs, "lab-b", tmp_path / "lab-a")
    _, made = joined("lab-a", str(tmp_path / "lab-a"))
    assert [site["name"] for site in made["sites"]] == [
        f"{labs.name}/lab-a", f"{tmp_path.name}/lab-a",
    ]  # fmt: skip
    assert "no folder `lab-q`" in refused(joined, "lab-a", "lab-b", names={"lab-q": "Q"})
    assert "would both be called" in refused(joined, "lab-a", "lab-b", names={"lab-b": "lab-a"})


def test_the_output_never_overwrites_a_site_or_somebody_elses_file(labs, tmp_path):
    request = MergeRequest(folders=(labs / "lab-a", labs / "lab-b"), quiet=True)
    with pytest.raises(RepcheckError, match="is the folder of lab-a"):
        merge(replace(request, out=labs / "lab-a"))
    (tmp_path / "merge.html").write_text("mine")
    with pytest.raises(RepcheckError, match="is not of an earlier merge"):
        merge(replace(request, out=tmp_path))
    assert (tmp_path / "merge.html").read_text() == "mine"


# --- folders of strangers -------------------------------------------------------------------------


def test_links_torn_files_and_forged_keys_are_told_and_never_followed(joined, labs, tmp_path):
    torn = copied(labs, "lab-b", tmp_path / "torn")
    first, second, *_ = sorted(torn.glob("store/runs/*/*/result.json"))
    first.write_text('{"key": ')
    shutil.move(second.parent, tmp_path / "elsewhere")
    second.parent.symlink_to(tmp_path / "elsewhere")
    code, made = joined("lab-a", str(torn))
    assert len(made["sites"][1]["broken"]) == 2
    assert str(first) in made["sites"][1]["broken"][0] + made["sites"][1]["broken"][1]
    assert "2 results are left out" in made["notes"][0]
    assert code in {1, 5}

    linked = copied(labs, "lab-b", tmp_path / "linked")
    shutil.rmtree(linked / "store" / "runs")
    (linked / "store" / "runs").symlink_to(labs / "lab-c" / "store" / "runs")
    assert "is a link" in refused(joined, "lab-a", linked)

    forged = copied(labs, "lab-b", tmp_path / "forged")
    [plan] = (forged / "store" / "plan").glob("*.jsonl")
    plan.write_text(re.sub(r'"key": "[0-9a-f]{64}"', '"key": "../../../lab-a"', plan.read_text()))
    assert "which is no key" in refused(joined, "lab-a", forged)


def test_nothing_is_written_into_a_site(joined, labs):
    before = {path: path.stat().st_mtime_ns for path in (labs / "lab-a").rglob("*")}
    joined("lab-a", "lab-b")
    assert {path: path.stat().st_mtime_ns for path in (labs / "lab-a").rglob("*")} == before


# --- the page and the terminal --------------------------------------------------------------------


def test_the_page_is_escaped_without_scripts_and_holds_every_site(joined, tmp_path):
    joined("lab-a", "lab-b", "lab-c", names={"lab-c": "<script>alert(1)</script>"})
    page = (tmp_path / "out" / "merge.html").read_text()
    assert "<script" not in page
    assert "<b>has</b>" not in page
    assert "style=" not in page
    assert "http-equiv" in page
    shown = unescape(page)
    for words in ("lab-a", "lab-b", "alert(1)", "over 3 sites", "a new site would see"):
        assert words in shown
    assert page.count('<svg class="plot ') == 3 * 5


def test_the_command_says_it_all_and_ends_with_the_code_of_the_verdicts(labs, tmp_path):
    done = repcheck("merge", labs / "lab-a", labs / "lab-b", labs / "lab-c", "-o", "m",
                    "--name", "lab-b=Lab B", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "C1 ✓ reproduced: ours beats base by 5 points" in done.stdout
    assert re.search(r"over 3 sites: \+\d\.\d\d \[\+\d\.\d\d, \+\d\.\d\d\] \(90 %\)", done.stdout)
    assert re.search(r"Lab B: \+\d\.\d\d \[.*\], n = 3 \+ 3, reproduced", done.stdout)
    assert "is reproduced over 3 sites; each of them by itself: reproduced." in done.stdout
    assert "report: m/merge.html" in done.stderr
    alone = repcheck("merge", labs / "lab-a", cwd=tmp_path)
    assert alone.returncode == 2
    assert "at least two" in alone.stderr
