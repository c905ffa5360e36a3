"""What policies decide: actions that are drawn from a Categorical, or by `torch.multinomial`.

Of each policy (a way of drawing, a number of actions) the counts of the actions are kept, the mean
of the probabilities and the mean of their entropies. The mean of the probabilities may differ from
each of them because of the state or because the policy was trained meanwhile, so that it is also
kept between two optimizer steps, where the policy is one. An action that is the largest of the
logits, or that numpy draws, is not seen here.
"""

import sys

from .imports import when_imported
from .patches import patch
from .recorder import rec
from .seeds import on_behalf_of_the_artifact

ACTIONS = 64
"""More choices than this are words or examples, and no actions."""
WINDOW = 512
"""Decisions after which a window is full; the last one and the one before are told of."""
FROZEN = 200
"""Decisions since the last optimizer step from which on they stand for the policy alone."""
POLICIES = 16
ALWAYS, THEN = 2000, 16
"""Calls that are looked at whatever it takes; later every so many where the budget is spent."""

_policies = {}
_spent = [0.0]


def install():
    """Watch torch's categorical distribution, and its draws."""
    when_imported("torch", _torch)
    rec.at_end.append(_tell)
    rec.after_fork.append(_policies.clear)


def _torch(module):
    # Only now: what is operated on when torch is there lies below what watches it.
    patch(module, "multinomial", _drawing, watch=False)
    when_imported("torch.distributions.categorical", _categorical)


def _categorical(module):
    patch(module.Categorical, "sample", _sampling, watch=False)
    patch(module.Categorical, "log_prob", _logging, watch=False)


def _sampling(original):
    def sample(self, *args, **kwargs):
        result = original(self, *args, **kwargs)
        if rec.on:
            rec.guarded(_seen, "Categorical", self.probs, result)
        return result

    return sample


def _logging(original):
    def log_prob(self, *args, **kwargs):
        result = original(self, *args, **kwargs)
        if rec.on:
            known = _policies.get(("Categorical", getattr(self, "_num_events", 0)))
            if known is not None:
                known.scored += 1
        return result

    return log_prob


def _drawing(original):
    def multinomial(input, num_samples=None, *args, **kwargs):
        result = original(input, num_samples, *args, **kwargs)
        if rec.on and num_samples == 1 and on_behalf_of_the_artifact(sys._getframe(1)):
            rec.guarded(_seen, "multinomial", input, result)
        return result

    return multinomial


class _Sums:
    """Sums over decisions: how many, of which action, of the probabilities and the entropies."""

    __slots__ = ("actions", "entropy", "n", "probs")

    def __init__(self, count):
        self.n = 0
        self.actions = [0.0] * count
        self.probs = [0.0] * count
        self.entropy = 0.0

    def add(self, n, actions, probs, entropy):
        self.n += n
        self.actions = [a + b for a, b in zip(self.actions, actions)]  # noqa: B905
        self.probs = [a + b for a, b in zip(self.probs, probs)]  # noqa: B905
        self.entropy += entropy


class _Policy:
    def __init__(self, count):
        self.count = count
        self.calls = self.total = self.scored = self.began = 0
        self.window, self.before = _Sums(count), _Sums(count)
        self.still = _Sums(count)
        """Of the steps that have ended: where a policy is one, by how much the state tells."""
        self.within = self.within_n = 0.0
        self.step = 0


def _seen(via, probs, result):
    count = int(probs.shape[-1])
    key = (via, count)
    if not 2 <= count <= ACTIONS or (key not in _policies and len(_policies) >= POLICIES):
        return
    known = _policies.get(key)
    if known is None:
        known = _policies[key] = _Policy(count)
    known.calls += 1
    known.total += result.numel()
    if known.calls > ALWAYS and known.calls % THEN and _spent[0] > rec.budget * rec.now():
        return
    began = rec.now()
    _add(known, probs, result)
    took = rec.now() - began
    _spent[0] += took
    rec.spent += took
    if known.calls & (known.calls - 1) == 0:
        _say(key, known)


def _add(known, probs, result):
    torch, count = sys.modules["torch"], known.count
    rows = probs.detach().reshape(-1, count).double()
    rows = rows / rows.sum(-1, keepdim=True)
    entropy = -(rows * rows.clamp_min(1e-300).log2()).sum(-1)
    drawn = torch.bincount(result.detach().reshape(-1).long(), minlength=count).tolist()
    times = max(1, sum(drawn) // max(1, int(rows.shape[0])))
    mean, spread = (rows.sum(0) * times).tolist(), float(entropy.sum()) * times
    sums = [rows.shape[0] * times, drawn, mean, spread]
    if known.step != rec.step:
        _close(known)
        known.step = rec.step
    known.still.add(*sums)
    if known.window.n >= WINDOW:
        known.before, known.window = known.window, _Sums(count)
    known.window.add(*sums)


def _close(known):
    """Add what the steps that ended tell of one policy to the window's mean."""
    still = known.still
    if still.n >= 2:
        known.within = known.within * 0.98 + still.n * information(still)
        known.within_n = known.within_n * 0.98 + still.n
    known.still = _Sums(known.count)


def information(sums):
    """Return H(mean p) - mean H(p) in bits, for the states that were met as a sample of all.

    The gap of n states falls short by about 1 / n of it.
    """
    gap = _entropy([one / sums.n for one in sums.probs]) - sums.entropy / sums.n
    return max(0.0, gap) * sums.n / (sums.n - 1.0)


def _entropy(probs):
    log = sys.modules["math"].log
    return -sum(p * log(p, 2) for p in probs if p > 0)


def _tell():
    for key, known in list(_policies.items()):
        _say(key, known)


def _say(key, known):
    last = _Sums(known.count)
    frozen = known.still
    within, n = known.within, known.within_n
    parts = [known.before, known.window]
    if frozen.n >= FROZEN:
        parts, within, n = [frozen], frozen.n * information(frozen), frozen.n
    for part in parts:
        last.add(part.n, part.actions, part.probs, part.entropy)
    rec.event(
        "policy",
        via=key[0],
        actions=known.count,
        calls=known.calls,
        total=known.total,
        scored=known.scored,
        frozen=frozen.n >= FROZEN,
        n=last.n,
        drawn=[int(one) for one in last.actions],
        probs=[round(one / max(1, last.n), 6) for one in last.probs],
        entropy=round(last.entropy / max(1, last.n), 6),
        within=round(within / n, 6) if n else None,
        within_n=int(n),
    )
