"""`policy` {as: marginal | uniform | constant:K, seed: 0}: what policies decide, blind to states.

Actions that are drawn from a Categorical, or one at a time by `torch.multinomial` in the artifact's
own code, are replaced: by those of the running mean of all probabilities so far (`marginal`), by
any with the same chance, or by always the same. The generator is one of its own; the artifact's
generator is called as before, so that everything else draws what it drew. `times` counts decisions.
"""

import sys

from ..imports import when_imported
from ..seeds import on_behalf_of_the_artifact
from ..surgery import put

ACTIONS = 64


def install(torch, surgery):
    """Put the change in place.

    Raises:
        ValueError: if it is none of the three.
    """
    how, seed = surgery.take("as", seed=0)
    name, _, given = str(how).partition(":")
    if name not in ("marginal", "uniform", "constant") or bool(given) != (name == "constant"):
        raise ValueError("`as` has to be marginal, uniform or constant:K")
    action = int(given) if given else 0
    if action < 0:
        raise ValueError("the constant action has to be a number from 0 on")
    change = _Change(torch, surgery, name, action, torch.Generator().manual_seed(int(seed)))
    put(torch, "multinomial", change.drawing)
    when_imported("torch.distributions.categorical", change.watch)


class _Change:
    def __init__(self, torch, surgery, name, action, generator):
        self.torch, self.surgery, self.name = torch, surgery, name
        self.action, self.generator = action, generator
        self.sums = {}
        self.draw = torch.multinomial

    def watch(self, module):
        """Replace what a Categorical draws."""
        put(module.Categorical, "sample", self.sampling)

    def sampling(self, original):
        def sample(distribution, *args, **kwargs):
            result = original(distribution, *args, **kwargs)
            made = self.surgery.guarded(self._made, distribution.probs, result)
            return result if made is None else made

        return sample

    def drawing(self, original):
        def multinomial(input, num_samples=None, *args, **kwargs):
            result = original(input, num_samples, *args, **kwargs)
            if num_samples != 1 or not _is_of_the_artifact(sys._getframe(1)):
                return result
            made = self.surgery.guarded(self._made, input, result)
            return result if made is None else made

        return multinomial

    def _made(self, probs, result):
        count = int(probs.shape[-1])
        if not 2 <= count <= ACTIONS or not result.numel():
            return None
        if self.name == "constant" and self.action >= count:
            raise ValueError("there are %d actions: no action %d" % (count, self.action))
        known = self.sums.get(count)
        known = self.sums[count] = self._summed(known, probs, count)
        made = self._drawn(known, result.numel())
        self.surgery.applied(result.numel(), places=int(self.surgery.places == 0))
        return made.reshape(result.shape).to(result.device, result.dtype)

    def _summed(self, known, probs, count):
        rows = probs.detach().reshape(-1, count).double().cpu()
        mine = (rows / rows.sum(-1, keepdim=True)).sum(0)
        return mine if known is None else known + mine

    def _drawn(self, sums, n):
        if self.name == "constant":
            return self.torch.full((n,), self.action)
        weights = sums if self.name == "marginal" else self.torch.ones_like(sums)
        return self.draw(weights, n, True, generator=self.generator)


def _is_of_the_artifact(frame):
    # Between the artifact and here the probe's own watch may stand.
    while frame is not None and frame.f_globals.get("__name__", "").startswith("_repcheck_inside"):
        frame = frame.f_back
    return frame is not None and on_behalf_of_the_artifact(frame)
