"""Forwards that were looked at more closely, what they cost, and how that is written down."""

from .recorder import rec

LOOKS = 12
TRIES = 4
"""How often a forward that may be trained through is looked at until one is."""
DONE = -1
TOTALS = ("elementwise", "counted", "matrix")


class Seen(dict):
    """How often each (mode, gradients enabled, shape) of a module's calls came, or DONE."""

    __slots__ = ("looks",)

    def __init__(self):
        super().__init__()
        self.looks = 0


class Look:
    """One forward that is looked at; `candidate` is what may turn out to be trained through."""

    __slots__ = (
        "at", "before", "candidate", "closed", "key", "root", "rows", "taken", "took", "tracer",
    )  # fmt: skip

    def __init__(self, root, key, before):
        self.root, self.key, self.at = root, key, rec.step
        self.candidate, self.rows, self.took = None, 0, None
        self.taken = {"backward": 0, "recompute": 0, "optimizer": 0}
        self.before = before
        self.closed = False
        self.tracer = None


class Step:
    """The forwards of a step that is looked at, and what was counted of their backwards."""

    def __init__(self, thread):
        self.looks = []
        self.loose = None
        self.thread = thread
        self.steps = 0
        self.unseen = False

    def waits(self):
        """Return whether a backward is through forwards that are looked at, as far as known."""
        return not self.unseen or bool(self.open())

    def open(self):
        """Return the forwards that no backward has reached yet."""
        return [look for look in self.looks if not look.closed]

    def closed(self):
        """Return those that one has."""
        return [look for look in self.looks if look.closed]


def share(looks, took):
    """Share a cost out by what the forwards cost; the calls that were counted belong to all."""
    costs = [look.took["forward"] for look in looks]
    whole = sum(costs)
    for look, cost in zip(looks, costs):  # noqa: B905
        part = float(cost) / whole if whole else 1.0 / len(looks)
        for name in look.taken:
            look.taken[name] += part * took[name]
        look.took = add(look.took, dict(took, forward=0, elementwise=part * took["elementwise"]))


def add(one, other):
    """Return the sum of two counts."""
    found = dict(one, uncounted=dict(one["uncounted"]))
    for name in ("forward", "backward", "recompute", "optimizer", *TOTALS):
        found[name] = one[name] + other[name]
    for name, (calls, size) in other["uncounted"].items():
        before = found["uncounted"].get(name, (0, 0))
        found["uncounted"][name] = [before[0] + calls, before[1] + size]
    return found


def groups(looks):
    """Return the forwards of one module with inputs of one shape together."""
    found = {}
    for look in looks:
        found.setdefault((look.root.id, look.key), []).append(look)
    return found.values()


def tell(looks, phase):
    """Write what one call costs: the mean of calls of one module with one shape."""
    root, key, n = looks[0].root, looks[0].key, len(looks)
    seen = root.close
    if seen is not None:
        times = seen.get(key, 1)
        tried = phase == "other" and key[1] and root.can_train and 0 < times <= TRIES
        seen[key] = times + 1 if tried else DONE
        seen.looks += 1
        if seen.looks >= LOOKS:
            root.close = None
    total = looks[0].took
    for look in looks[1:]:
        total = add(total, look.took)
    rec.event(
        "flops",
        root=root.id,
        phase=phase,
        training=key[0],
        grad=key[1],
        rows=looks[0].rows,
        shape=list(key[2])[:16],
        at=looks[0].at,
        calls=n,
        forward=_mean([look.took["forward"] for look in looks]),
        backward=_mean([look.taken["backward"] for look in looks]),
        recompute=_mean([look.taken["recompute"] for look in looks]),
        optimizer=_mean([look.taken["optimizer"] for look in looks]),
        elementwise=total["elementwise"] / n,
        counted=total["counted"],
        matrix=total["matrix"],
        uncounted=dict(list(total["uncounted"].items())[:40]),
    )


def _mean(costs):
    return float(sum(costs)) / len(costs)
