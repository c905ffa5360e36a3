"""Prediction files: what is read of them, and what is refused in words."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from observed_support import evidence_beside

from repcheck import predictions, rules
from repcheck.claims.load import parse
from repcheck.errors import Missing
from repcheck.fact import Evidence, Level
from repcheck.facts.predicted import WRONG, Predicted
from repcheck.judge import judge
from repcheck.predictions import Predictions, read
from repcheck.rule import Judgement, Kind, Severity, State
from repcheck.runs import Run, SeedKind, Status
from repcheck.tabular import SIZE_CAP, Unreadable

ROOT = Path(__file__).parent / "rules"
RULES = rules.load()


def csv_file(folder: Path, text: str, name: str = "p.csv") -> Predictions:
    (folder / name).write_text(text)
    return read(folder, name)


def refused(folder: Path, name: str = "p.csv") -> str:
    with pytest.raises(Unreadable) as why:
        read(folder, name)
    return str(why.value)


def arrays(folder: Path, **named: object) -> None:
    np.savez(folder / "p.npz", **named)


# --- what is read ---------------------------------------------------------------------------------


def test_whole_numbers_are_classes_and_text_is_too(tmp_path: Path) -> None:
    found = csv_file(tmp_path, "index,label,pred\n0,3,3\n7,1,3\n")
    assert (found.kind, found.classes, found.index.tolist()) == ("classes", ("1", "3"), [0, 7])
    assert (found.label != found.pred).tolist() == [False, True]
    text = csv_file(tmp_path, "index,label,pred\na.png,cat,cat\nb.png,dog,cat\n")
    assert (text.kind, text.classes) == ("classes", ("cat", "dog"))
    assert text.index.tolist() == ["a.png", "b.png"]


def test_fractions_are_numbers(tmp_path: Path) -> None:
    found = csv_file(tmp_path, "index,label,pred\n0,1.5,1.25\n1,2,2\n")
    assert (found.kind, found.pred.tolist()) == ("numbers", [1.25, 2.0])


def test_the_columns_may_bear_other_names(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("id,y,yhat\n0,1,1\n")
    names = {"index": "id", "label": "y", "pred": "yhat"}
    assert len(read(tmp_path, "p.csv", names)) == 1


def test_class_k_has_column_k_of_the_probabilities(tmp_path: Path) -> None:
    found = csv_file(tmp_path, "index,label,pred,p0,p1,p2\n0,2,2,0.1,0.2,0.7\n1,0,2,0.4,0,0.6\n")
    assert found.classes == ("0", "1", "2")
    assert found.label.tolist() == [2, 0]
    assert found.probabilities is not None
    assert found.probabilities[1].tolist() == [0.4, 0.0, 0.6]


def test_columns_that_do_not_begin_with_p0_are_no_probabilities(tmp_path: Path) -> None:
    assert csv_file(tmp_path, "index,label,pred,p1\n0,1,1,0.7\n").probabilities is None
    found = csv_file(tmp_path, "index,label,pred,p0,p1\n0,cat,cat,0.7,0.3\n1,dog,cat,1,0\n")
    assert found.probabilities is None  # of which class a column is, nobody says


@pytest.mark.parametrize("last", [False, True])
def test_images_have_their_channels_first_whichever_way_they_are_stored(
    tmp_path: Path, last: bool
) -> None:
    images = np.random.default_rng(0).uniform(size=(2, 3, 5, 6)).astype(np.float32)
    stored = images.transpose(0, 2, 3, 1) if last else images
    arrays(tmp_path, index=np.arange(2), label=stored, pred=np.asfortranarray(stored))
    found = read(tmp_path, "p.npz")
    assert found.kind == "images"
    assert np.array_equal(found.label, images)
    assert np.array_equal(found.pred, images)


def test_sequences_and_arrays_of_classes_are_read(tmp_path: Path) -> None:
    arrays(tmp_path, index=np.arange(2), label=np.eye(2, dtype=int), pred=np.ones((2, 2), int))
    assert read(tmp_path, "p.npz").kind == "sequences"
    arrays(tmp_path, index=np.array(["a", "b"]), label=np.array([1, 0]), pred=np.array([1.0, 1.0]),
           p=np.array([[0.2, 0.8], [0.4, 0.6]]))  # fmt: skip
    found = read(tmp_path, "p.npz")
    assert (found.kind, found.index.tolist()) == ("classes", ["a", "b"])
    assert found.probabilities is not None


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("index,label,pred\n0,1,1\n0,1,0\n", "index 0 stands there 2 times"),
        ("index,label,pred\n0,1,nan\n", "pred is not a finite number in row 1"),
        ("index,label,pred\n0,inf,1\n", "label is not a finite number"),
        ("index,label,pred\n0,1,\n", "pred is empty in row 1"),
        ("index,label\n0,1\n", "no column 'pred'"),
        ("index,label,pred\n", "a header and no row"),
        ("", "no header"),
        ("index,label,label,pred\n0,1,1,1\n", "column 'label' twice"),
        ("index,label,pred\n0,1\n", "2 cells under 3 names"),
        ("index,label,pred,p0,p1\n0,1,1,0.9,0.9\n", "sum to 1"),
        ("index,label,pred,p0,p1\n0,1,1,much,0.9\n", "must be numbers"),
        (",".join(f"c{n}" for n in range(5000)) + "\n0\n", "5,000 columns"),
        ("index,label,pred\n0,1,1" + "9" * 200_000 + "\n", "field larger than field limit"),
    ],
)
def test_a_table_that_is_no_table_of_predictions_is_refused(
    tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "p.csv").write_text(text)
    assert words in refused(tmp_path)


def test_another_encoding_a_link_a_pipe_and_a_way_out_are_refused(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes("index,label,pred\n0,ä,ä\n".encode("utf-16"))
    assert "is not UTF-8" in refused(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.csv").symlink_to(tmp_path / "p.csv")
    (tmp_path / "in" / "folder").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "in" / "pipe.csv")
    assert "links are not followed" in refused(tmp_path / "in", "link.csv")
    assert "links are not followed" in refused(tmp_path / "in", "folder/p.csv")
    assert "not a regular file" in refused(tmp_path / "in", "pipe.csv")
    assert "leads out" in refused(tmp_path / "in", "../p.csv")
    assert "leads out" in refused(tmp_path / "in", str(tmp_path / "p.csv"))
    assert "there is no" in refused(tmp_path / "in", "gone.csv")
    assert "neither .csv nor .npz" in refused(tmp_path, "p.pkl")


def test_a_file_that_is_too_large_is_not_opened(tmp_path: Path) -> None:
    with (tmp_path / "p.csv").open("wb") as file:
        file.truncate(SIZE_CAP + 1)
    assert "at most 64 MiB are read" in refused(tmp_path)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.system, (f"touch {Bomb.mark}",))

    mark = ""


def test_nothing_is_ever_unpickled(tmp_path: Path) -> None:
    Bomb.mark = str(tmp_path / "mark")
    content = np.array([Bomb(), 1], dtype=object)
    np.savez(tmp_path / "p.npz", index=np.arange(2), label=content, pred=np.arange(2))
    assert "only plain numbers are read" in refused(tmp_path, "p.npz")
    with zipfile.ZipFile(tmp_path / "q.npz", "w") as archive:
        for name in ("index", "label", "pred"):
            archive.writestr(f"{name}.npy", pickle.dumps(Bomb()))
    assert "is no array" in refused(tmp_path, "q.npz")
    assert not (tmp_path / "mark").exists()


def member(shape: str, descr: str = "'<f8'", data: bytes = b"") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (member("(99999999999999, 99999999)"), "shorter or longer than its header says"),
        (member("(3,)", data=b"\0" * 8), "shorter or longer than its header says"),
        (member("(1,)", data=b"\0" * 80), "shorter or longer than its header says"),
        (member("(-1,)"), "impossible shape"),
        (member("(" + "1," * 5000 + ")"), "is no array"),
        (member("__import__('os')"), "is no array"),
        (member("(1,)", "'|V8'", b"\0" * 8), "only plain numbers are read"),
        (member("(1,)", "[('a', '<f8')]", b"\0" * 8), "only plain numbers are read"),
        (member("(1,)", "'<U1'", b"\xff\xff\xff\x7f"), "text that is none"),
        (b"", "is no array"),
        (b"\x93NUMPY\x03\x00", "unknown format"),
    ],
)
def test_an_array_that_lies_about_itself_is_refused(
    tmp_path: Path, content: bytes, words: str
) -> None:
    with zipfile.ZipFile(tmp_path / "p.npz", "w") as archive:
        for name in ("index", "label", "pred"):
            archive.writestr(f"{name}.npy", content)
    assert words in refused(tmp_path, "p.npz")


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "ARRAYS_CAP", 2**22)
    zeros = bytes(2**20)
    with zipfile.ZipFile(tmp_path / "p.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("index", "label", "pred"):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                file.write(zeros + zeros)
    assert (tmp_path / "p.npz").stat().st_size < 2**15
    assert "unpacks to more than the 4 MiB" in refused(tmp_path, "p.npz")


def test_an_array_that_unpacks_to_more_than_its_entry_says_is_refused(tmp_path: Path) -> None:
    arrays(tmp_path, index=np.arange(99), label=np.arange(99), pred=np.arange(99))
    packed = (tmp_path / "p.npz").read_bytes()
    size = struct.pack("<I", 128 + 8 * 99)
    assert packed.count(size) >= 3
    (tmp_path / "p.npz").write_bytes(packed.replace(size, struct.pack("<I", 128 + 8)))
    assert refused(tmp_path, "p.npz")


def test_a_torn_or_foreign_archive_is_refused(tmp_path: Path) -> None:
    arrays(tmp_path, index=np.arange(9), label=np.arange(9), pred=np.arange(9))
    whole = (tmp_path / "p.npz").read_bytes()
    (tmp_path / "p.npz").write_bytes(whole[: len(whole) // 2])
    assert "is not an npz file" in refused(tmp_path, "p.npz")
    spoiled = bytearray(whole)
    spoiled[whole.index(b"\x93NUMPY") + 200] ^= 0xFF  # its checksum is wrong now
    (tmp_path / "p.npz").write_bytes(bytes(spoiled))
    assert "is not an npz file" in refused(tmp_path, "p.npz")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(100):
            archive.writestr(f"{number}.npy", b"")
    (tmp_path / "p.npz").write_bytes(packed.getvalue())
    assert "holds 100 arrays" in refused(tmp_path, "p.npz")


@pytest.mark.parametrize(
    ("label", "pred", "words"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), "have the shapes"),
        (np.zeros(3), np.zeros(3), "have the shapes"),
        (np.zeros((2, 0)), np.zeros((2, 0)), "at least one example"),
        (np.array([1.0, np.nan]), np.zeros(2), "not a finite number in row 2"),
        (np.zeros((2, 3, 4, 3)), np.zeros((2, 3, 4, 3)), "not clear which axis"),
        (np.array(["a", "b"]), np.zeros(2), "text and pred is not"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    tmp_path: Path, label: np.ndarray, pred: np.ndarray, words: str
) -> None:
    arrays(tmp_path, index=np.arange(2), label=label, pred=pred)
    assert words in refused(tmp_path, "p.npz")


# --- the runs' files ------------------------------------------------------------------------------

CLAIMS = """
repcheck: 1
methods:
  ours: {role: proposed, seeds: [4, 5], eval: {predictions: "{out}/preds_{seed}.csv"}}
  base: {role: baseline}
metrics:
  accuracy: {higher_is_better: true, unit: percent}
results:
  - {method: ours, metric: accuracy, mean: 75.0, predictions: "kept/{seed}.csv"}
claims:
  - {id: C1, method: ours, baselines: [base], metric: accuracy, improvement: 5.0}
"""


def evidence(store: Path, artifact: Path, **own: object) -> Evidence:
    said = {"status": Status.OK, "metrics": {"accuracy": 75.0}} | own
    run = Run(
        key="k" * 64, arm="ours", method="ours", dataset="", seed=4, seed_kind=SeedKind.FRESH,
        directory="runs/kk/a1", **said,
    )  # fmt: skip
    return Evidence(claims=parse(CLAIMS, "c.yaml"), runs=(run,), store=store, artifact=artifact)


def test_a_runs_own_file_is_read_once_and_nowhere_else(tmp_path: Path) -> None:
    out = tmp_path / "runs/kk/a1/out"
    out.mkdir(parents=True)
    (out / "preds_4.csv").write_text("index,label,pred\n0,1,1\n1,0,0\n2,1,0\n3,0,0\n")
    known = evidence(tmp_path, tmp_path)
    found = known.get(Predicted)
    [(run, scored)] = found.by_run(known.claims.methods["ours"], "")
    assert (scored.n, scored.values["accuracy"], scored.losses[WRONG].sum()) == (4, 0.75, 1)
    assert scored.source == "run kkkkkkkkkkkk, out/preds_4.csv"
    (out / "preds_4.csv").unlink()
    assert found.of(run) is scored
    (out / "preds_4.csv").symlink_to("/etc/passwd")
    with pytest.raises(Missing, match="links are not followed"):
        evidence(tmp_path, tmp_path).get(Predicted).of(run)


def test_a_run_that_wrote_nothing_says_what_would_decide(tmp_path: Path) -> None:
    known = evidence(tmp_path, tmp_path)
    with pytest.raises(Missing, match="predictions that can be read: there is no"):
        known.get(Predicted).by_run(known.claims.methods["ours"], "")
    with pytest.raises(Missing, match=r"methods\.base\.eval\.predictions"):
        known.get(Predicted).by_run(known.claims.methods["base"], "")


def test_the_papers_own_files_are_one_a_seed_of_the_artifact(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    for seed in (4, 5):
        (tmp_path / f"kept/{seed}.csv").write_text(f"index,label,pred\n0,1,1\n1,0,{seed - 4}\n")
    known = evidence(tmp_path, tmp_path)
    found = known.get(Predicted).published(known.claims.results[0])
    assert [one.values["accuracy"] for one in found] == [1.0, 0.5]
    assert found[0].source == "artifact, kept/4.csv"


# --- the rules that rest on them ------------------------------------------------------------------


def judged(fixture: str, code: str) -> list[Judgement]:
    return judge(evidence_beside(ROOT / f"{fixture}.yaml"), [RULES[code]])


@pytest.mark.parametrize(
    ("fixture", "code", "severity", "kind"),
    [
        ("evaluation/metric_tampering/bad_seen_channels", "RC504", "major", "asymmetry"),
        ("evaluation/metric_tampering/bad_seen_averages", "RC504", "major", "asymmetry"),
        ("evaluation/metric_tampering/bad_seen_undeclared", "RC504", "minor", "mismatch"),
        ("evaluation/metric_tampering/bad_seen_examples_left_out", "RC504", "major", "asymmetry"),
        ("evaluation/metric_tampering/bad_seen_note_against_itself", "RC504", "note", "asymmetry"),
        ("evaluation/unreported_metrics/bad_recomputed", "RC501b", "minor", "unsupported"),
        ("evaluation/unreported_metrics/bad_note_recomputed_primary", "RC501b", "note",
         "unsupported"),
        ("evaluation/cherry_picking/bad_seen", "RC512", "minor", "mismatch"),
        ("evaluation/cherry_picking/bad_seen_undeclared", "RC512", "minor", "omission"),
        ("evaluation/cherry_picking/bad_seen_figures_alone", "RC512", "major", "omission"),
        ("evaluation/cherry_picking/bad_note_seen_hand_picked", "RC512", "note", "omission"),
        ("ultimate/printed_unlike_predictions/bad", "RC603b", "critical", "mismatch"),
        ("ultimate/printed_unlike_predictions/bad_floor", "RC603b", "critical", "mismatch"),
    ],
)  # fmt: skip
def test_a_finding_from_predictions_weighs_what_its_page_says(
    fixture: str, code: str, severity: str, kind: str
) -> None:
    [found] = [one for one in judged(fixture, code) if one.state is State.FLAGGED]
    assert (found.severity, found.kind) == (Severity(severity), Kind(kind))
    assert found.level is Level.FORENSIC


@pytest.mark.parametrize(
    ("code", "fixture"),
    [
        ("RC603b", "ultimate/printed_unlike_predictions/good"),
        ("RC504", "evaluation/metric_tampering/good_seen"),
        ("RC512", "evaluation/cherry_picking/good_seen_random"),
    ],
)
def test_without_the_files_nothing_is_cleared_that_only_they_show(code: str, fixture: str) -> None:
    whole = evidence_beside(ROOT / f"{fixture}.yaml")
    assert State.CLEARED in {one.state for one in judge(whole, [RULES[code]])}
    blind = Evidence(claims=whole.claims, runs=whole.runs)
    states = {one.state for one in judge(blind, [RULES[code]])}
    assert states == {State.UNDETERMINED}


def test_predictions_that_were_made_to_fit_are_not_called_the_models() -> None:
    [found] = [
        one
        for one in judged("ultimate/printed_unlike_predictions/good", "RC603b")
        if one.subject_id == "ours"
    ]
    assert found.state is State.CLEARED
    assert "not predictions that are not the model's" in found.limit


def test_the_clearance_of_metrics_names_what_could_not_be_recomputed() -> None:
    [found] = judged("evaluation/unreported_metrics/good", "RC501b")
    assert found.state is State.CLEARED
    assert "no standard metric was recomputed from predictions" in found.limit
