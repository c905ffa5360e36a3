"""Scores trivial references on a dataset of the artifact: `python .../references JOB OUT`.

JOB is JSON: {loader: "module:function" or "", config, train, test: paths}. OUT/references.json
gets the share of right answers of each on the test split: `majority` (the most frequent label of
the training split), `knn3` (its three nearest neighbours) and `logistic` (scikit-learn's, where it
can be imported) or `ridge` (least squares on the labels, else); `best` is the largest of them. The
artifact's loader runs in this process, which is a throw-away one.
"""

import importlib
import inspect
import json
import os
import sys

MOST_ROWS = 20000
MOST_FEATURES = 50000
MOST_CELLS = 1 << 25
"""Numbers of a split: of wide examples fewer are taken."""
MOST_CLASSES = 1000
MOST_BYTES = 1 << 30
MOST_TEXT = 1 << 27
SMALL = 1e-100
NEIGHBOURS = 3
CHUNK = 256
INPUTS = ("x", "X", "images", "inputs", "features", "data")
LABELS = ("y", "Y", "labels", "targets", "target")
HERE = os.path.dirname(os.path.abspath(__file__))


class Unfit(Exception):
    """The data cannot be taken; the message says why."""


def main(job, out):
    """Load, fit, score and write."""
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != HERE]
    sys.path.insert(0, os.getcwd())
    np = importlib.import_module("numpy")
    asked = json.loads(job)
    if asked.get("loader"):
        splits = _loaded(asked["loader"], asked.get("config") or "")
    else:
        splits = {name: _whole(np, asked[name]) for name in ("train", "test")}
    train, test = [_pair(np, splits[name], name) for name in ("train", "test")]
    if train[0].shape[1] != test[0].shape[1]:
        raise Unfit(
            "training and test examples have %d and %d numbers"
            % (train[0].shape[1], test[0].shape[1])
        )
    found = _scores(np, train, test)
    best = max(found.values())
    found.update(best=best, train_rows=len(train[1]), test_rows=len(test[1]))
    with open(os.path.join(out, "references.json"), "w") as file:
        json.dump(found, file)


def _loaded(entry, config):
    module, _, name = entry.partition(":")
    function = importlib.import_module(module)
    for part in name.split("."):
        function = getattr(function, part)
    needs = [
        one
        for one in inspect.signature(function).parameters.values()
        if one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    if len(needs) > 1 or (needs and not config):
        raise Unfit("%s asks for %s" % (entry, ", ".join(one.name for one in needs)))
    made = function(config) if needs else function()
    if not (hasattr(made, "keys") and "train" in made and "test" in made):
        raise Unfit("%s returns no mapping with `train` and `test`" % entry)
    return made


def _whole(np, path):
    try:
        return _read(np, path)
    except Unfit:
        raise
    except Exception as error:
        raise Unfit("%s cannot be read: %.300s" % (path, error)) from None


def _read(np, path):
    if not os.path.isfile(path):
        raise Unfit("there is no file %s" % path)
    if path.endswith(".npz"):
        return _arrays(np, path)
    if path.endswith((".csv", ".csv.gz")):
        return _table(np, path)
    raise Unfit("%s is neither npz nor csv" % path)


def _arrays(np, path):
    with importlib.import_module("zipfile").ZipFile(path) as archive:
        size = max([one.file_size for one in archive.infolist()] or [0])
    if size > MOST_BYTES:
        raise Unfit("%s holds an array of %d MiB" % (path, size >> 20))
    with np.load(path, allow_pickle=False) as held:
        names = list(held.keys())
        x = next((one for one in INPUTS if one in names), None)
        y = next((one for one in LABELS if one in names), None)
        if x is None or y is None:
            said = (path, names[:8], INPUTS[0], LABELS[0])
            raise Unfit("%s holds %.200s, and no %s and %s" % said)
        return held[x], held[y]


def _table(np, path):
    with open(path, "rb") if path.endswith(".csv") else _unzipped(path) as file:
        first = file.readline(MOST_TEXT).decode()
        size = len(first)
        while size <= MOST_TEXT:
            part = file.read(1 << 20)
            if not part:
                break
            size += len(part)
    cells = first.strip().split(",")
    if size > MOST_TEXT or len(cells) > MOST_FEATURES:
        raise Unfit("%s has more than %d MiB or columns than are read" % (path, MOST_TEXT >> 20))
    how = {"delimiter": ",", "skiprows": int(any(_is_word(cell) for cell in cells[:-1]))}
    inputs = np.loadtxt(path, usecols=range(len(cells) - 1), ndmin=2, **how)
    # A text array would give every label as much room as the longest.
    return inputs, np.loadtxt(path, usecols=[len(cells) - 1], ndmin=1, dtype=object, **how)


def _unzipped(path):
    return importlib.import_module("gzip").open(path)


def _is_word(cell):
    try:
        float(cell)
    except ValueError:
        return True
    return False


def _pair(np, split, name):
    """Return (rows of numbers, labels as 0, 1, ...) of a split, at most so many rows."""
    if hasattr(split, "__getitem__") and len(split) == 2 and hasattr(split[0], "shape"):
        x, y = split
    else:
        rows = [split[i] for i in _chosen(np, len(split), np.size(split[0][0]))]
        x, y = np.stack([np.asarray(row[0]) for row in rows]), [row[1] for row in rows]
    x, y = np.asarray(x), np.asarray(y)
    if x.dtype == object or not len(x) or len(x) != len(y) or y.ndim != 1:
        raise Unfit("`%s` is no pair of an array of numbers and as many labels" % name)
    width = x.size // len(x)
    if x.dtype.kind not in "biuf" or width > MOST_FEATURES:
        raise Unfit("`%s` has examples of %d numbers, or no real ones" % (name, width))
    keep = _chosen(np, len(x), width)
    x, y = x[keep].reshape(len(keep), -1).astype(np.float64), y[keep]
    size = np.abs(x).max() if x.size else 0.0
    if size and not SMALL < size < 1 / SMALL:
        raise Unfit("`%s` has numbers that are not finite, or that cannot be squared" % name)
    if y.dtype.kind == "f" and not (y == y.round()).all():
        raise Unfit("the labels of `%s` are no classes" % name)
    if len(np.unique(y)) > MOST_CLASSES:
        raise Unfit("`%s` has more than %d classes" % (name, MOST_CLASSES))
    return x, y


def _chosen(np, n, width):
    most = max(1, min(MOST_ROWS, MOST_CELLS // max(1, width)))
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.RandomState(0).permutation(n)[:most])


def _scores(np, train, test):
    classes, labels = np.unique(train[1], return_inverse=True)
    right = {label: i for i, label in enumerate(classes.tolist())}
    wanted = np.array([right.get(label, -1) for label in test[1].tolist()])
    mean, sd = train[0].mean(0), train[0].std()
    a, b = train[0], test[0]
    for one in (a, b):  # in place: they are large
        one -= mean
        one /= sd or 1.0
    counts = np.bincount(labels, minlength=len(classes))
    found = {"majority": float((wanted == counts.argmax()).mean())}
    found["knn3"] = float((_nearest(np, a, labels, b, len(classes)) == wanted).mean())
    name, said = _linear(np, a, labels, b, len(classes))
    found[name] = float((said == wanted).mean())
    return found


def _nearest(np, a, labels, b, classes):
    said, norms = np.empty(len(b), dtype=int), (a * a).sum(1)
    near = min(NEIGHBOURS, len(a))
    for start in range(0, len(b), CHUNK):
        apart = norms - 2 * b[start : start + CHUNK] @ a.T
        rows = np.argsort(apart, axis=1, kind="stable")[:, :near]
        for i, one in enumerate(labels[rows]):
            votes = np.bincount(one, minlength=classes)
            # A tie is the nearest one's.
            said[start + i] = next(v for v in one if votes[v] == votes.max())
    return said


def _linear(np, a, labels, b, classes):
    try:
        linear_model = importlib.import_module("sklearn.linear_model")
    except ImportError:
        linear_model = None
    if linear_model is not None and classes > 1:
        warnings = importlib.import_module("warnings")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = linear_model.LogisticRegression(max_iter=200).fit(a, labels)
            return "logistic", model.predict(b)
    ones = np.eye(classes)[labels]
    a, b = np.c_[a, np.ones(len(a))], np.c_[b, np.ones(len(b))]
    if a.shape[1] <= len(a):
        weights = np.linalg.solve(a.T @ a + len(a) * 1e-2 * np.eye(a.shape[1]), a.T @ ones)
    else:
        weights = a.T @ np.linalg.solve(a @ a.T + len(a) * 1e-2 * np.eye(len(a)), ones)
    return "ridge", (b @ weights).argmax(1)


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2])
    except Unfit as why:
        sys.exit("repcheck references: %s" % why)
