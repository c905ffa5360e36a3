"""What enters a model in training and in evaluation, and what rules make of it."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from repcheck.analysis import observe, sheets
from repcheck.analysis.fed import _first_epoch
from repcheck.analysis.near import Rows, earlier_copies, near_copies
from repcheck.analysis.two_sample import told_apart
from repcheck.facts.feeds import apart
from repcheck.facts.near_leak import fewest, weighed
from repcheck.observation import InputSeen, NearDuplicates, Observation
from tests.probe_support import Process, run_plain
from tests.test_probe_training import Server

COLOURED = """
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
torch.manual_seed(0)
torch.set_num_threads(1)
tint = torch.tensor([1.0, 0.0, -1.0]).view(1, 3, 1, 1)
X, Y = torch.rand(96, 3, 8, 8) + tint, torch.randint(0, 3, (96,))
T = torch.rand(200, 3, 8, 8) + tint
model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(3):
    model.train()
    for x, y in DataLoader(TensorDataset(X, Y), batch_size=32, shuffle=True):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        for begin in range(0, 200, 50):
            model(T[begin : begin + 50, [2, 1, 0]])
print(torch.cat([p.detach().flatten() for p in model.parameters()]).numpy().tobytes().hex())
"""
OTHERS = """
import torch
from torch import nn
from torch.nn import functional as F
torch.manual_seed(0)
torch.set_num_threads(1)
def learn(model, *inputs):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for x in inputs:
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(50, 4)
    def forward(self, x):
        return self.table(x)
learn(Words(), *torch.randint(0, 50, (4, 16, 12)))
learn(nn.Conv2d(3, 2, 3), *torch.rand(8, 4, 3, 96, 96))
learn(nn.Linear(20, 2), *torch.rand(60, 64, 20))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("server"))
    yield made
    assert made.process.stdin is not None
    assert made.process.stdout is not None
    made.process.stdin.close()
    made.process.wait(20)
    made.process.stdout.close()
    made.errors.close()


def seen_by(server: Server, script: str, tmp_path: Path) -> tuple[Process, list[str], Observation]:
    process, printed = server.run(script, tmp_path)
    folder = tmp_path / "record"
    folder.mkdir()
    for path in server.record.glob(f"{process.base}.*"):
        (folder / path.name).write_bytes(path.read_bytes())
    return process, printed, observe(folder)


def test_inputs_are_told_as_they_were_fed_and_the_training_is_the_same_to_the_last_bit(
    server: Server, tmp_path: Path
) -> None:
    process, printed, seen = seen_by(server, COLOURED, tmp_path)
    train, evaluated = seen.fed.inputs
    assert (train.phase, train.by, train.shape, train.different) == (
        "train",
        "channel",
        (3, 8, 8),
        96,
    )
    assert np.allclose(train.mean, (1.5, 0.5, -0.5), atol=0.02)
    assert np.allclose(evaluated.mean, (-0.5, 0.5, 1.5), atol=0.02)
    assert np.allclose(train.sd + evaluated.sd, 12**-0.5, atol=0.01)
    assert (evaluated.set, evaluated.rows, evaluated.at) == (0, 200, 9)
    assert -1.001 < train.low < -0.99
    assert 1.99 < train.high < 2.001
    found = apart(train, evaluated)
    assert found is not None
    assert (found.why, found.order, found.transform) == ("order", (2, 1, 0), "reverse-channels")
    assert [one.auc > 0.99 for one in seen.fed.two_sample] == [True]
    assert [(one.n_train, one.n_eval, one.near) for one in seen.fed.near_duplicates] == [
        (96, 200, 0)
    ]
    assert not process.of("error")
    assert printed == run_plain(COLOURED, tmp_path).out.split()


def test_words_have_no_statistics_and_wide_images_are_made_smaller(
    server: Server, tmp_path: Path
) -> None:
    process, _, seen = seen_by(server, OTHERS, tmp_path)
    by_shape = {one.shape: one for one in seen.fed.inputs}
    assert by_shape[12,].mean == ()
    assert by_shape[12,].dtype == "int64"
    assert len(by_shape[3, 96, 96].mean) == 3
    assert by_shape[20,].by == "all"
    kept = {
        sheet.rows.shape[1:]: len(sheet.rows)
        for sheet in sheets.read(tmp_path / "record", process.base)
    }
    assert kept == {(3, 32, 32): 32, (1, 1, 20): 2000}
    assert not process.of("error")


def block(rows: np.ndarray, layer: int = 1, **more: int) -> bytes:
    head = np.zeros(1, sheets.HEADER)
    n, channels, height, width = rows.shape
    said = {
        "layer": layer,
        "size": 2,
        "n": n,
        "channels": channels,
        "height": height,
        "width": width,
    }
    for name, value in {**said, **more}.items():
        head[name] = value
    return head.tobytes() + rows.astype("<f2").tobytes()


def test_a_forged_or_torn_sheet_is_read_up_to_where_it_makes_no_sense(tmp_path: Path) -> None:
    rows = np.arange(2 * 16, dtype=float).reshape(2, 1, 4, 4)
    good, base = block(rows), "1-00000000"
    path = tmp_path / f"{base}.fed"

    def read(content: bytes) -> list[int]:
        path.write_bytes(content)
        return [len(sheet.rows) for sheet in sheets.read(tmp_path, base)]

    assert read(good + good) == [4]
    assert read(good + good[:-1]) == [2]
    assert read(good + block(rows, n=2**31)) == [2]
    assert read(good + block(rows, layer=9)) == [2]
    assert read(good + block(rows, channels=60000)) == [2]
    assert read(block(rows, size=3)) == []
    assert read(b"".join(block(rows, root=i) for i in range(40))) == [2] * 16
    assert read(block(np.full((1, 1, 4, 4), np.nan)))[0] == 1
    assert np.isfinite(sheets.read(tmp_path, base)[0].rows).all()
    path.unlink()
    path.symlink_to(__file__)
    assert sheets.read(tmp_path, base) == ()
    path.unlink()
    os.mkfifo(path)
    assert sheets.read(tmp_path, base) == ()


def digits() -> tuple[np.ndarray, np.ndarray]:
    places = importlib.util.find_spec("sklearn").submodule_search_locations  # type: ignore[union-attr]
    assert places is not None
    table = np.loadtxt(Path(places[0]) / "datasets/data/digits.csv.gz", delimiter=",")
    pixels = table[np.random.default_rng(0).permutation(1797), :-1].reshape(-1, 1, 8, 8)
    images = ((pixels - 4.88) / 6).astype(np.float16).astype(np.float32)
    return images[:400], images[700:1700]


def copies(rows: np.ndarray, among: np.ndarray) -> int:
    known = Rows(among)
    return int(near_copies(Rows(rows, like=known), known).sum())


def test_handwritten_digits_are_no_copies_of_each_other_and_leaked_ones_are() -> None:
    train, test = digits()
    noise = 1e-3 * np.random.default_rng(1).standard_normal((300, 1, 8, 8))
    assert copies(test, train) == 0
    assert copies(train, test) == 0
    known = Rows(train)
    assert near_copies(known, known).sum() == 0
    for changed in (
        np.roll(test[:300], (1, -2), axis=(2, 3)) + noise,
        test[:300, :, :, ::-1] * 1.2 + 0.1,
    ):
        leaked = np.concatenate([train, changed]).astype(np.float32)
        assert copies(test, leaked) == 300


def test_a_turned_copy_is_missed_and_the_limit_does_not_promise_it() -> None:
    train, test = digits()
    leaked = np.concatenate([train, np.rot90(test[:300], axes=(2, 3))])
    assert copies(test, leaked) < 10
    found = NearDuplicates(
        root=0, set=0, n_train=700, n_eval=1000, near=0, natural=0, exact=0, shifted=True
    )
    assert "not stronger alterations" in weighed(found).limit


def test_copies_that_training_has_by_nature_excuse_as_many_in_the_test_set() -> None:
    def beyond(near_: int, natural: int, n_eval: int = 1000) -> bool:
        found = NearDuplicates(
            root=0, set=0, n_train=400, n_eval=n_eval, near=near_, natural=natural, exact=0,
            shifted=True,
        )  # fmt: skip
        return weighed(found).beyond

    assert not beyond(60, 25)
    assert beyond(160, 25)
    least = fewest(1000, 400)
    assert beyond(least, 0)
    assert not beyond(least - 1, 0)


def test_the_second_epoch_of_shifted_images_is_not_taken_for_duplicates_by_nature() -> None:
    train, _ = digits()
    again = np.roll(train[np.random.default_rng(2).permutation(400)], 1, axis=2)
    copied = earlier_copies(Rows(np.concatenate([train, again])))
    assert abs(_first_epoch(copied) - 400) <= 1
    assert _first_epoch(earlier_copies(Rows(train))) == 400


def test_a_classifier_tells_a_shifted_test_set_from_training_and_nothing_from_its_own_kind() -> (
    None
):
    train, test = digits()
    rng = np.random.default_rng(3)

    def moved(rows: np.ndarray) -> np.ndarray:
        shifts = rng.integers(-1, 2, (len(rows), 2))
        return np.stack([np.roll(x, tuple(by), (1, 2)) for x, by in zip(rows, shifts, strict=True)])

    def auc(first: np.ndarray, second: np.ndarray) -> float:
        flat = [rows.reshape(len(rows), -1) for rows in (first, second)]
        told = told_apart(flat[0], flat[1], np.random.default_rng(0))
        assert told is not None
        assert told.low <= told.auc <= told.high
        assert (told.n_first, told.n_second) == (400, 1000)
        return told.auc

    assert abs(auc(train, test) - 0.5) < 0.05
    assert auc(train, moved(test)) > 0.85
    assert abs(auc(moved(train), moved(test)) - 0.5) < 0.06
    noise = rng.standard_normal(test.shape).astype(np.float32)
    assert auc(train, test + noise) > 0.99
    assert told_apart(np.zeros((49, 3), "f4"), np.zeros((90, 3), "f4"), rng) is None


def test_rows_of_one_value_and_rows_of_few_columns_are_no_copies() -> None:
    flat = np.ones((80, 1, 8, 8), np.float32)
    assert copies(flat, flat) == 0
    rng = np.random.default_rng(0)
    table = rng.standard_normal((300, 1, 1, 40)).astype(np.float32) * np.logspace(0, 6, 40)
    assert copies(table[:100], table[100:]) == 0
    assert copies(table[:100] + 1e-3, table) == 100


def seen(mean: tuple[float, ...], sd: float = 0.3, rows: int = 500, **more: float) -> InputSeen:
    return InputSeen(
        root=0, phase="train", by="channel", mean=mean, sd=(sd,) * len(mean), rows=rows,
        low=more.get("low", 0.0), high=more.get("high", 1.0),
    )  # fmt: skip


def test_what_a_small_sample_or_augmentation_moves_is_no_mismatch() -> None:
    plain = seen((0.5, 0.4, 0.3))
    assert apart(plain, seen((0.53, 0.42, 0.33), 0.36, low=-0.5, high=1.4)) is None
    assert apart(plain, seen((0.62, 0.52, 0.42), rows=40)) is None
    assert apart(plain, seen((0.42, 0.41, 0.40))) is None
    assert apart(seen((0.5, 0.5, 0.5)), seen((0.5, 0.5, 0.5))) is None
    assert apart(plain, seen((0.4,))) is None
    reversed_ = apart(plain, seen((0.3, 0.4, 0.5)))
    assert reversed_ is not None
    assert reversed_.order == (2, 1, 0)


def test_the_change_that_undoes_a_mismatch_gives_the_statistics_of_training() -> None:
    train, test = seen((0.5, 0.4, 0.3)), seen((1.9, 1.7, 1.5), 0.6, low=-1, high=6)
    found = apart(train, test)
    assert found is not None
    means, sds = (
        [float(one) for one in part.split(",")]
        for part in found.transform.removeprefix("normalise:").split("/")
    )
    back = [(m - a) / b for m, a, b in zip(test.mean, means, sds, strict=True)]
    assert np.allclose(back, train.mean, atol=1e-4)
    assert np.allclose(np.divide(test.sd, sds), train.sd, atol=1e-4)
    raw = apart(seen((127.5,), 76.5, low=0, high=255), seen((0.5,), 0.3, low=0, high=1))
    assert raw is not None
    assert (raw.why, raw.transform) == ("range", "scale:255")
