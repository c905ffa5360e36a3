"""`labels` {shuffle: train | test, seed: 0}: the labels of a dataset in another order.

Training data is what a loader draws at random, test data what one goes through in order. The
labels are looked for where datasets keep them: `tensors`, `targets`, `labels`, `y`, (path, label)
pairs, or a list of tuples. They are moved when a loader begins, where they lie, so that whoever
reads them sees the same; `times` counts labels that got another place.
"""

import random
import sys

from ..imports import when_imported
from ..recorder import rec
from ..surgery import put
from . import _loaders, _models

NAMES = ("targets", "labels", "y", "label", "target")
PAIRS = ("samples", "imgs")
IN_ORDER = ("SequentialSampler", "DistributedSampler")


def install(_torch, surgery):
    """Put the change in place.

    Raises:
        ValueError: if it is neither training nor test data.
    """
    which, seed = surgery.take("shuffle", seed=0)
    if which not in ("train", "test"):
        raise ValueError("`shuffle` has to be train or test")
    change = _Change(surgery, which, int(seed))
    when_imported("torch.utils.data.dataloader", change.watch)


class _Change:
    def __init__(self, surgery, which, seed):
        self.surgery, self.which = surgery, which
        self.random = random.Random(seed)
        self.drawn = {}
        self.learnt = {}
        self.moved = {}

    def watch(self, module):
        """Begin to see data loaders while they are built, and when they begin."""
        put(module.DataLoader, "__init__", self._building)
        put(module._BaseDataLoaderIter, "__init__", self._beginning)

    def _building(self, original):
        def __init__(loader, *args, **kwargs):
            result = original(loader, *args, **kwargs)
            self.surgery.guarded(self._note, loader)
            return result

        return __init__

    def _note(self, loader):
        if _loaders.is_random(_loaders.sampler_of(loader)):
            _remember(self.drawn, loader.dataset)

    def _beginning(self, original):
        def __init__(iterator, loader, *args, **kwargs):
            self.surgery.guarded(self._begin, loader)
            return original(iterator, loader, *args, **kwargs)

        return __init__

    def _begin(self, loader):
        dataset, sampler = loader.dataset, _loaders.sampler_of(loader)
        at_random, quiet = _loaders.is_random(sampler), _models.quiet()
        evaluates = bool(rec.step) and quiet
        if at_random and not evaluates:
            _remember(self.learnt, dataset)
        if self.which == "train":
            meant = at_random and not evaluates
        elif at_random or type(sampler).__name__ not in IN_ORDER:
            meant = evaluates and at_random
        else:
            # Where nothing is drawn at random, only a model that says so is evaluated.
            others = bool(self.drawn) and not _known(self.drawn, dataset)
            meant = evaluates or others or (not self.drawn and quiet)
        if self.which == "test":
            meant = meant and not _known(self.learnt, dataset)
        if meant and not _known(self.moved, dataset):
            _remember(self.moved, dataset)
            self._shuffle(dataset)

    def _shuffle(self, dataset):
        places, base = _below(dataset)
        labels = _labels_of(base)
        if labels is None:
            self.surgery.fail("%s: its labels were not found" % type(base).__qualname__)
            return
        places = list(range(len(labels))) if places is None else places
        order = list(places)
        self.random.shuffle(order)
        count = labels.move(places, order)
        self.surgery.applied(count, places=1)


def _remember(known, dataset):
    key, held, places = _key(dataset)
    # Held for good: of what is gone, something else might have the place.
    known.setdefault(key, (held, []))[1].append(places)


def _known(known, dataset):
    """Tell whether any row of a dataset is one of those that are remembered."""
    key, _, mine = _key(dataset)
    found = known[key][1] if key in known else ()
    return any(mine is None or one is None or not one.isdisjoint(mine) for one in found)


def _key(dataset):
    """Return what stands for a dataset, the labels it is known by, and which of them."""
    places, base = _below(dataset)
    labels = _labels_of(base)
    held = base if labels is None else (labels.held or labels.pairs)[0]
    at = held.data_ptr() if hasattr(held, "data_ptr") else id(held)
    return (type(held), at), held, None if places is None else set(places)


def _below(dataset):
    """Return the places of a subset, or None for all of them, and the dataset they are of."""
    places = None
    for _ in range(10):
        inner, indices = getattr(dataset, "dataset", None), getattr(dataset, "indices", None)
        if inner is None or indices is None:
            break
        indices = [int(one) for one in indices]
        places = indices if places is None else [indices[one] for one in places]
        dataset = inner
    return places, dataset


def _labels_of(base):
    """Return the labels of a dataset, or None if they are not found."""
    tensors = getattr(base, "tensors", None)
    if isinstance(tensors, (tuple, list)) and len(tensors) > 1:
        return _Labels([tensors[-1]])
    held = [getattr(base, name, None) for name in NAMES]
    held = [one for one in held if _is_row(one, base)]
    pairs = [getattr(base, name, None) for name in PAIRS]
    pairs = [one for one in [*pairs, base] if isinstance(one, list) and _has_pairs(one)]
    return _Labels(held[:1], pairs) if held or pairs else None


def _is_row(value, base):
    if not isinstance(value, list) and not hasattr(value, "shape"):
        return False
    try:
        return len(value) == len(base) > 0
    except TypeError:
        return False


def _has_pairs(values):
    return bool(values) and all(isinstance(one, tuple) and len(one) > 1 for one in values)


class _Labels:
    """Labels in tensors, arrays or lists, and those that are the last of each tuple of a list."""

    def __init__(self, held, pairs=()):
        self.held, self.pairs = held, list({id(one): one for one in pairs}.values())

    def __len__(self):
        return len((self.held or self.pairs)[0])

    def move(self, places, order):
        """Put the label of each place of `order` into that of `places`; return how many differ."""
        for values in self.held:
            new = [values[i] for i in order] if isinstance(values, list) else _rows(values, order)
            for to, value in zip(places, new):  # noqa: B905
                values[to] = value
        for values in self.pairs:
            new = [values[i][-1] for i in order]
            for to, value in zip(places, new):  # noqa: B905
                values[to] = (*values[to][:-1], value)
        return sum(a != b for a, b in zip(places, order))  # noqa: B905


def _rows(values, order):
    torch = sys.modules["torch"]
    if isinstance(values, torch.Tensor):
        return values[torch.tensor(order, device=values.device)].clone()
    return values[order].copy()
