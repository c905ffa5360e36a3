"""The standard metrics of a task, recomputed from what was predicted and what is right.

Definitions are those of scikit-learn (classification, regression), of Guo et al. 2017 for the
expected calibration error (15 bins of equal width), and of Wang et al. 2004 and BT.601 (studio
range) for images. All values are fractions, nats, dB, or in the unit of the labels. A metric that
is not defined for the data (R2 of a constant, PSNR of equal images) is left out.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from repcheck.stats.arrays import Floats

BINS = 15
SMALLEST = 1e-15
PADDING = -100
WIDEST = 1e100
"""Of ranges of data; squares of errors neither overflow nor vanish below it."""
LUMA = (65.481, 128.553, 24.966)
Codes = NDArray[np.int64]


def classification(
    label: Codes, pred: Codes, classes: int, probabilities: Floats | None = None
) -> dict[str, float]:
    """Return the metrics of class codes below `classes`; `probabilities` are examples x columns
    of which column k is the class whose code `label` would be k. Raises ValueError where a code
    is not below `classes`.
    """
    if max(int(label.max()), int(pred.max())) >= classes:
        raise ValueError(f"there are codes of more than {classes} classes")
    hits, real, said = (
        np.bincount(codes, minlength=classes).astype(np.float64)
        for codes in (label[label == pred], label, pred)
    )
    there, known = real > 0, (real + said) > 0
    recall = hits[there] / real[there]
    f1 = 2 * hits[known] / (real + said)[known]
    found = {
        "accuracy": hits.sum() / real.sum(),
        "balanced_accuracy": recall.mean(),
        "worst_class_accuracy": recall.min(),
        "micro_f1": hits.sum() / real.sum(),
        "macro_f1": f1.mean(),
        "weighted_f1": (f1 * real[known]).sum() / real.sum(),
    }
    if classes == 2:
        found["binary_f1"] = 2 * hits[1] / max(1, real[1] + said[1])
    if probabilities is not None:
        found["nll"] = -np.log(of_the_right(label, probabilities)).mean()
        found["ece"] = calibration_error(label, probabilities)
    return {name: float(value) for name, value in found.items()}


def of_the_right(label: Codes, probabilities: Floats) -> Floats:
    """Return the probability of each example's right class, at least 1e-15 as is usual."""
    chosen: Floats = probabilities[np.arange(len(label)), label].clip(SMALLEST, 1.0)
    return chosen


def calibration_error(label: Codes, probabilities: Floats, bins: int = BINS) -> float:
    """Return the mean gap of confidence and accuracy over `bins` bins, weighted by their size.

    Raises ValueError for no bin.
    """
    if bins < 1:
        raise ValueError(f"at least one bin is needed, not {bins}")
    top = probabilities.argmax(axis=1)
    sure, right = probabilities.max(axis=1), top == label
    # Bins are open below and closed above, as in the paper's own code.
    place = np.clip(np.ceil(sure * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(place, sure - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(label))


def regression(label: Floats, pred: Floats) -> dict[str, float]:
    """Return the metrics of numbers; arrays of any one shape."""
    truth, said = label.astype(np.float64).ravel(), pred.astype(np.float64).ravel()
    gap = said - truth
    squared = float((gap**2).mean())
    found = {"mae": float(np.abs(gap).mean()), "mse": squared, "rmse": math.sqrt(squared)}
    spread = float(((truth - truth.mean()) ** 2).mean())
    if spread > 0:
        found["r2"] = 1 - squared / spread
        if said.min() < said.max():
            found["spearman"] = float(np.corrcoef(_ranks(truth), _ranks(said))[0, 1])
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _ranks(values: Floats) -> Floats:
    """Return ranks from 1, equal values sharing the mean of theirs."""
    _, code, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: Floats = last - (counts - 1) / 2
    return mean[code]


def sequences(label: Codes, pred: Codes) -> dict[str, float]:
    """Return the share of right positions, and of examples that are right at all.

    Positions of the label -100 are padding, as in torch's cross-entropy, and count for neither.
    """
    counted = (label != PADDING).reshape(len(label), -1)
    right = (label == pred).reshape(len(label), -1) | ~counted
    if not counted.any():
        return {}
    return {
        "accuracy": float(right[counted].mean()),
        "exact_match": float(right.all(axis=1).mean()),
    }


# --- images -----------------------------------------------------------------------------------


def restoration(
    label: NDArray[np.generic],
    pred: NDArray[np.generic],
    data_range: float,
    borders: Sequence[int] = (0,),
) -> dict[str, float]:
    """Return the metrics of images, examples x channels x height x width from 0 to `data_range`.

    `psnr_rgb` and `psnr_y` are means over images; `..._pooled` are of the mean squared error of
    all. Each stands for whole images and, as `psnr_y@4`, for those cut by a border. `mae` is the
    mean absolute error. Raises ValueError for a range that is none and a border below zero.
    """
    if not 1 / WIDEST <= data_range <= WIDEST:
        raise ValueError(f"the range of the data must be positive and finite, not {data_range}")
    if any(border < 0 for border in borders):
        raise ValueError(f"a border is cut by 0 pixels or more, not by {min(borders)}")
    found: dict[str, float] = {}
    for border in dict.fromkeys((0, *borders)):
        if 2 * border >= min(label.shape[2:]):
            continue
        errors = [_errors(a, b, data_range, border) for a, b in _pairs(label, pred)]
        tail = f"@{border}" if border else ""
        for at, channel in enumerate(("rgb", "y") if label.shape[1] == 3 else ("rgb",)):
            squared = np.array([one[at] for one in errors])
            name = f"psnr_{channel}{tail}"
            if squared.min() > 0:
                found[name] = float(-10 * np.log10(squared).mean())
            if squared.mean() > 0:
                found[f"{name}_pooled"] = float(-10 * np.log10(squared.mean()))
        if not border:
            found["mae"] = float(np.mean([one[-1] for one in errors])) * data_range
    return found


def _pairs(
    label: NDArray[np.generic], pred: NDArray[np.generic]
) -> Iterator[tuple[NDArray[np.generic], NDArray[np.generic]]]:
    return zip(label, pred, strict=True)


def _errors(
    truth: NDArray[np.generic], said: NDArray[np.generic], data_range: float, border: int
) -> tuple[float, ...]:
    """Return the squared errors on RGB and on Y of an image, and the absolute one, of a range 1."""
    inner = (slice(None), *(slice(border, size - border) for size in truth.shape[1:]))
    gap = (said[inner].astype(np.float64) - truth[inner].astype(np.float64)) / data_range
    squared = [float((gap**2).mean())]
    if len(gap) == 3:
        # The offset of 16 is in both; the weights take RGB of a range 1 to Y of 16 to 235.
        squared.append(float((np.tensordot(np.array(LUMA) / 255, gap, axes=1) ** 2).mean()))
    return (*squared, float(np.abs(gap).mean()))


def image_errors(label: NDArray[np.generic], pred: NDArray[np.generic]) -> Floats:
    """Return the mean squared error of each example, of arrays of one shape."""
    return np.array(
        [
            float(((b.astype(np.float64) - a.astype(np.float64)) ** 2).mean())
            for a, b in _pairs(label, pred)
        ]
    )
