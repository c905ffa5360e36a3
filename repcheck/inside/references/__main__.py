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
        splits = {name: _read(np, asked[name]) for name in ("train", "test")}
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


def _read(np, path):
    if path.endswith(".npz"):
        with np.load(path, allow_pickle=False) as held:
            names = list(held.keys())
            x = next((one for one in INPUTS if one in names), None)
            y = next((one for one in LABELS if one in names), None)
            if x is None or y is None:
                raise Unfit("%s holds %s, and no %s and %s" % (path, names, INPUTS[0], LABELS[0]))
            return held[x], held[y]
    if path.endswith((".csv", ".csv.gz")):
        with open(path) if path.endswith(".csv") else _unzipped(path) as file:
            first = file.readline()
        named = any(_is_word(cell) for cell in first.strip().split(",")[:-1])
        table = np.loadtxt(path, delimiter=",", skiprows=int(named), ndmin=2, dtype=object)
        inputs = table[:, :-1].astype(float)
        return inputs, table[:, -1].astype(str)
    raise Unfit("%s is neither npz nor csv" % path)


def _unzipped(path):
    return importlib.import_module("gzip").open(path, "rt")


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
        rows = [split[i] for i in _chosen(np, len(split))]
        x, y = np.stack([np.asarray(row[0]) for row in rows]), [row[1] for row in rows]
    x, y = np.asarray(x), np.asarray(y)
    if x.dtype == object or not len(x) or len(x) != len(y) or y.ndim != 1:
        raise Unfit("`%s` is no pair of an array of numbers and as many labels" % name)
    keep = _chosen(np, len(x))
    x, y = x[keep].reshape(len(keep), -1).astype(np.float64), y[keep]
    if x.shape[1] > MOST_FEATURES or not np.isfinite(x).all():
        raise Unfit("`%s` has examples of %d numbers, or not all are finite" % (name, x.shape[1]))
    if y.dtype.kind == "f" and not (y == y.round()).all():
        raise Unfit("the labels of `%s` are no classes" % name)
    return x, y


def _chosen(np, n):
    if n <= MOST_ROWS:
        return np.arange(n)
    return np.sort(np.random.RandomState(0).permutation(n)[:MOST_ROWS])


def _scores(np, train, test):
    classes, labels = np.unique(train[1], return_inverse=True)
    right = {label: i for i, label in enumerate(classes.tolist())}
    wanted = np.array([right.get(label, -1) for label in test[1].tolist()])
    mean, sd = train[0].mean(0), train[0].std()
    a, b = (train[0] - mean) / (sd or 1.0), (test[0] - mean) / (sd or 1.0)
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
